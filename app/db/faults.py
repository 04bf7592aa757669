"""Sorts an engine's errors: these values cannot be stored, or the engine cannot store anything. Decided only here.

Only what is known to be about the values counts as such. Everything else is the engine's, and the caller tries again.
"""

import sqlite3
import sys

# https://www.postgresql.org/docs/current/errcodes-appendix.html: data exception, integrity constraint violation
_VALUES_POSTGRESQL = ("22", "23")
# https://sqlite.org/rescode.html
_VALUES_SQLITE = {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# Met by doing it again: serialization failure, deadlock, and a row that another process has just made.
_AGAIN = {"40001", "40P01", "23505"}


class Unavailable(Exception):
    """Raised when the database cannot commit or answer now. Nothing was acknowledged; it is perhaps stored."""

    def __init__(self, why: BaseException | str) -> None:
        # Of a time-out nothing is said by itself, and whoever reads the log would have an empty reason.
        super().__init__("the database did not answer in time" if isinstance(why, TimeoutError) else str(why))


class Rejected(Exception):
    """Raised when the database refuses these values, and would refuse them again."""


def meaning(fault: BaseException) -> Unavailable | Rejected | None:
    """Return what the error means; None if it is not an engine's."""
    if not _of_engine(fault):
        return None
    return Rejected(str(fault)) if _about_values(fault) else Unavailable(fault)


def sound_after(fault: BaseException) -> bool:
    """Return whether a connection can be used after this error: it is about values, or not the engine's."""
    return isinstance(fault, Exception) and not isinstance(meaning(fault), Unavailable)


def goes_away(fault: BaseException) -> bool:
    """Return whether trying again at once may help."""
    return _sqlstate(fault) in _AGAIN


def damaged(fault: BaseException) -> bool:
    """Return whether SQLite says that the file is damaged."""
    return _sqlite_code(fault) in _DAMAGED


def _of_engine(fault: BaseException) -> bool:
    # A number or text that the driver cannot hand over is an OverflowError or a UnicodeError.
    if isinstance(fault, (sqlite3.Error, OSError, OverflowError, UnicodeError)):
        return True
    asyncpg = sys.modules.get("asyncpg")  # not loaded where SQLite serves
    return asyncpg is not None and isinstance(
        fault, (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    )


def _about_values(fault: BaseException) -> bool:
    if isinstance(fault, sqlite3.Error):
        return _sqlite_code(fault) in _VALUES_SQLITE
    return isinstance(fault, (OverflowError, UnicodeError)) or _sqlstate(fault).startswith(_VALUES_POSTGRESQL)


def _sqlstate(fault: BaseException) -> str:
    return getattr(fault, "sqlstate", None) or ""


def _sqlite_code(fault: BaseException) -> int | None:
    code = getattr(fault, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF  # the rest says more exactly which
