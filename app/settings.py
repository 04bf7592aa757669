"""The settings: environment variables that begin with ORDERS_, all faults named at once."""

import base64
import binascii
import os
import re
import sys
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from app.faults import in_words

PREFIX = "ORDERS_"


class BadSettings(Exception):
    """One line per fault, each with the variable's name."""


class Settings(BaseModel):
    """What the service is started with."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    database_url: str = Field(
        "sqlite:///data/orders.db", description="sqlite:///path or postgresql://user:password@host/name"
    )
    master_key: str = Field(
        "",
        description="comma-separated, newest first; encrypts secrets and keys at rest",
        repr=False,
        validate_default=True,
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on")
    public_url: str = Field("", description="what webhook URLs start with")
    max_body_bytes: int = Field(1048576, ge=1024, le=64 * 1048576, description="larger bodies are answered 413")
    log_format: Literal["", "console", "json"] = Field("", description="console on a terminal, else json")

    @field_validator("database_url")
    @classmethod
    def _known_engine(cls, url: str) -> str:
        if url.startswith("postgres://"):
            url = "postgresql://" + url.removeprefix("postgres://")
        if url.startswith("sqlite:///") and len(url) > len("sqlite:///") and ":memory:" not in url:
            return url
        if url.startswith("postgresql://"):
            parts = urlsplit(url)
            if parts.path.strip("/"):
                return url
            raise ValueError("names no database: postgresql://user:password@host/name")
        raise ValueError("must be sqlite:///path/to/file.db or postgresql://user:password@host/name")

    @field_validator("master_key")
    @classmethod
    def _usable_keys(cls, keys: str, others: ValidationInfo) -> str:
        # Not for the whole model: its validators keep silent while any field is wrong, and faults are named at once.
        if others.data.get("database_url", "").startswith("postgresql:") and not keys.strip(" ,"):
            raise ValueError(
                "is required with PostgreSQL: several machines must share it; to make one: "
                "orders-registry doctor --make-key"
            )
        for number, key in enumerate(filter(None, (part.strip() for part in keys.split(","))), start=1):
            try:
                usable = len(base64.urlsafe_b64decode(key.encode())) == 32
            except (binascii.Error, ValueError):
                usable = False
            if not usable:
                raise ValueError(
                    f"key {number} is not 32 bytes in url-safe base64; to make one: orders-registry doctor --make-key"
                )
        return keys

    @field_validator("host")
    @classmethod
    def _an_address(cls, host: str) -> str:
        if not host.strip():  # the system would take it for every address of the machine
            raise ValueError("is empty; 127.0.0.1 is this machine alone, 0.0.0.0 every address of it")
        return host.strip()

    @field_validator("public_url")
    @classmethod
    def _whole_url(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[^/?#]+(/[^?#]*)?", url):
            raise ValueError("must be a URL such as https://orders.example.com")
        return url.rstrip("/")

    @property
    def on_sqlite(self) -> bool:
        """Whether the database is the embedded one."""
        return self.database_url.startswith("sqlite:")

    @cached_property
    def database_path(self) -> Path:
        """The database's file. Only on SQLite."""
        return Path(self.database_url.removeprefix("sqlite:///").partition("?")[0]).resolve()

    @property
    def socket_path(self) -> Path:
        """The operator's door on SQLite: a Unix socket beside the database."""
        return self.database_path.with_name(self.database_path.name + ".sock")

    @property
    def listens_at(self) -> str:
        """The address that is listened on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def webhooks_at(self) -> str:
        """What webhook URLs start with."""
        return self.public_url or self.listens_at

    @property
    def logs_json(self) -> bool:
        """Whether the log is JSON lines rather than for a terminal."""
        return self.log_format == "json" or (self.log_format == "" and not sys.stderr.isatty())


def read_settings(**given: object) -> Settings:
    """The settings from the environment; `given` ones (from the command line) win. Raises BadSettings."""
    found: dict[str, object] = {
        name: os.environ[PREFIX + name.upper()] for name in Settings.model_fields if PREFIX + name.upper() in os.environ
    }
    try:
        return Settings.model_validate(found | {name: value for name, value in given.items() if value is not None})
    except ValidationError as fault:
        lines = [
            f"{PREFIX}{str(error['loc'][0]).upper()}: {in_words(error)}" for error in fault.errors(include_url=False)
        ]
        raise BadSettings("\n".join(lines)) from None
