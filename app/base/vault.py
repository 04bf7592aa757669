"""Encryption at rest of secrets and API keys, and the master key."""

import base64
import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.contract import Adapter, AnyOf, Delivery, Signature, Strength, Token, Unverified
from app.base.settings import BadSettings, Settings


class Sealed(Exception):
    """Raised when something encrypted cannot be decrypted with the configured master keys."""


class Vault:
    """Encrypts and decrypts secrets. The newest key encrypts, all keys decrypt, so the master key can be rotated."""

    def __init__(self, keys: list[str]) -> None:
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet

        if not keys:
            raise BadSettings("ORDERS_MASTER_KEY: holds no key")
        self._unfit = InvalidToken
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> str:
        """Return the text encrypted, as text."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return the decrypted text. Raises Sealed."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except self._unfit:
            raise Sealed("sealed with a master key that is not among ORDERS_MASTER_KEY") from None

    def reseal(self, sealed: str) -> str:
        """Return the text encrypted again with the newest key. Raises Sealed."""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except self._unfit:
            raise Sealed("sealed with a master key that is not among ORDERS_MASTER_KEY") from None


def make_key() -> str:
    """Return a new master key."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def open_vault(settings: Settings) -> Vault:
    """Return the vault for these settings. On SQLite a missing key is generated once, beside the database, mode 0600.

    Raises BadSettings.
    """
    keys = [key.strip() for key in settings.master_key.split(",") if key.strip()]
    if not keys and settings.on_sqlite:
        keys = [_key_beside(settings.database_path)]
    return Vault(keys)


def _key_beside(database: Path) -> str:
    path = database.with_name("master.key")
    try:
        return _read_key(path)
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written whole under another name, then linked: a second process sees either no key or all of it, and one wins.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(make_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the key must not be lost while what it sealed survives
    finally:
        os.close(folder)
    return _read_key(path)


def _read_key(path: Path) -> str:
    keys = path.read_text().split()
    if len(keys) != 1:
        raise BadSettings(f"{path}: does not hold one key; restore it from the backup, or set ORDERS_MASTER_KEY")
    return keys[0]


SHORTEST = 8
WEAK = 16  # below, a secret is taken with a warning: platforms do make such


def made_secret(adapter: Adapter[Any]) -> str:
    """Return a new secret of 32 random bytes, in the form that the adapter's platform uses."""
    if adapter.secret_prefix == "whsec_":  # noqa: S105 - a prefix, not a credential
        return whsec()
    return f"{adapter.secret_prefix}{secrets.token_bytes(32).hex()}"


def whsec() -> str:
    """Return a new secret of 32 random bytes, in the form of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


# What comes along when a secret is copied from a page, and that nobody sees.
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
_QUOTES = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019", "\u00ab\u00bb")


def pasted(given: str) -> tuple[str, list[str]]:
    """Return a secret without what was copied along with it, and a warning that says what was taken off."""
    seen = given.translate(_UNSEEN).strip()
    bare = seen
    if len(seen) > 2 and seen[0] + seen[-1] in _QUOTES:
        bare = seen[1:-1].strip()
    off = [word for word, there in (("invisible characters", seen != given.strip()), ("quotes", bare != seen)) if there]
    return bare, [f"{' and '.join(off)} around or in the secret were taken off"] if off else []


def checked_secret(adapter: Adapter[Any], options: Any, given: str) -> str:
    """Return the secret if it can sign. Raises ValueError, without repeating it."""
    if not given.strip():
        raise ValueError("is empty")
    if given != given.strip():
        raise ValueError("begins or ends with blanks; copy it without them")
    scheme = adapter.scheme(options)
    prefix = adapter.secret_prefix if adapter.secret_made_by == "theirs" else ""  # noqa: S105 - says who makes it
    if not given.startswith(prefix):
        raise ValueError(f"does not begin with {prefix}, as {adapter.title} shows it; its other keys sign nothing here")
    if isinstance(scheme, Token) and scheme.basic and not all(given.partition(":")):
        raise ValueError("is written user:password, both of them")
    if _keyed_with(scheme, given) < SHORTEST and scheme.strength is not Strength.FETCHED:
        raise ValueError(f"is shorter than {SHORTEST} characters, which anybody could guess")
    present = datetime.now(UTC)
    try:
        scheme.sign(Delivery(body=b"{}", headers={}, received_at=present), given, present)
    except Unverified as why:
        if why.reason == Unverified.NO_SECRET:
            raise ValueError(f"does not have the shape that {adapter.title} shows it in") from None
    except Exception:  # a scheme whose message stands in the body cannot sign an empty one: nothing is known against it
        return given
    return given


def warnings_of(adapter: Adapter[Any], options: Any, secret: str) -> list[str]:
    """Return warnings about a secret that is accepted all the same."""
    if _keyed_with(adapter.scheme(options), secret) < WEAK:
        return [f"the secret is shorter than {WEAK} characters; let the platform make a longer one, if it can"]
    return []


def _keyed_with(scheme: Signature, secret: str) -> int:
    """Return how many bytes a secret is worth: base64 and hexadecimal count as what they stand for."""
    lengths = [len(secret)]
    for one in scheme.schemes if isinstance(scheme, AnyOf) else (scheme,):
        if key := getattr(one, "key", None):
            with suppress(Unverified):
                lengths.append(len(key(secret)))
    return min(lengths)
