"""Encryption at rest of what sources prove themselves with, and the master key it hangs on."""

import os
from contextlib import suppress
from pathlib import Path

from app.base.settings import BadSettings, Settings


class Sealed(Exception):
    """Something encrypted cannot be opened with the master keys that are set."""


class Vault:
    """Seals and opens secrets; the newest key seals, all keys open (so that the master key can be rotated)."""

    def __init__(self, keys: list[str]) -> None:
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet

        if not keys:
            raise BadSettings("ORDERS_MASTER_KEY: holds no key")
        self._unfit = InvalidToken
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, text: str) -> str:
        """The text encrypted, as text."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed. Raises Sealed."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except self._unfit:
            raise Sealed("sealed with a master key that is not among ORDERS_MASTER_KEY") from None

    def reseal(self, sealed: str) -> str:
        """The same text under the newest key. Raises Sealed."""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except self._unfit:
            raise Sealed("sealed with a master key that is not among ORDERS_MASTER_KEY") from None


def make_key() -> str:
    """A new master key."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def open_vault(settings: Settings) -> Vault:
    """The vault of these settings; on SQLite a missing key is made once, beside the database, mode 0600.

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
