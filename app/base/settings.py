"""Settings from environment variables that begin with ORDERS_. All mistakes are reported at once."""

import base64
import binascii
import os
import re
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from app.base.errors import in_words
from app.base.ssrf_guard import Network, networks

PREFIX = "ORDERS_"


class BadSettings(Exception):
    """Raised for wrong settings: one line per mistake, each with the variable's name."""


class Settings(BaseModel):
    """Holds the settings of one process."""

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
    max_body_bytes: int = Field(4 * 1048576, ge=1024, le=64 * 1048576, description="larger bodies are answered 413")
    private_receivers: str = Field(
        "", description="networks such as 10.1.0.0/16 that requests may go to beside the internet, also by http"
    )
    log_format: Literal["", "console", "json"] = Field("", description="console on a terminal, else json")
    traces: bool = Field(False, description="whether OpenTelemetry's own variables name an exporter of traces")

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

    @field_validator("private_receivers")
    @classmethod
    def _whole_networks(cls, text: str) -> str:
        try:
            networks(text)
        except ValueError:
            raise ValueError("must be networks with commas between them, such as 127.0.0.0/8, 10.1.0.0/16") from None
        return text

    @cached_property
    def receivers(self) -> tuple[Network, ...]:
        """Return the private networks that events may be sent to."""
        return networks(self.private_receivers)

    @property
    def on_sqlite(self) -> bool:
        """Return whether the engine is SQLite."""
        return self.database_url.startswith("sqlite:")

    @cached_property
    def database_path(self) -> Path:
        """Return the path of the SQLite file."""
        return Path(self.database_url.removeprefix("sqlite:///").partition("?")[0]).resolve()

    @property
    def socket_path(self) -> Path:
        """Return the path of the operator's Unix socket, beside the SQLite file."""
        return self.database_path.with_name(self.database_path.name + ".sock")

    @property
    def listens_at(self) -> str:
        """Return the URL of the address the server listens on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def webhooks_at(self) -> str:
        """Return what webhook URLs start with."""
        return self.public_url or self.listens_at

    @property
    def logs_json(self) -> bool:
        """Return whether the log is written as JSON lines."""
        return self.log_format == "json" or (self.log_format == "" and not sys.stderr.isatty())


def read_settings(*, serves: bool = False, **given: object) -> Settings:
    """Read the settings from the environment. `given` ones, from the command line, override them. Raises BadSettings.

    OpenTelemetry's variables are read only if `serves`.
    """
    ours = Settings.model_fields.keys() - {"traces"}
    unknown = _unknown({PREFIX + name.upper() for name in ours} | _CLIENTS)
    found: dict[str, object] = {
        name: os.environ[PREFIX + name.upper()] for name in ours if PREFIX + name.upper() in os.environ
    }
    found["traces"], lines = _traces(os.environ) if serves else (False, list[str]())
    lines += unknown
    try:
        settings = Settings.model_validate(found | {name: value for name, value in given.items() if value is not None})
    except ValidationError as fault:
        for error in reversed(fault.errors(include_url=False)):
            lines.insert(0, f"{PREFIX}{str(error['loc'][0]).upper()}: {in_words(error)}")
    else:
        if not lines:
            return settings
    raise BadSettings("\n".join(lines))


_CLIENTS = frozenset({"ORDERS_URL", "ORDERS_TOKEN", "ORDERS_ACCOUNT"})  # of the command line
_TESTS = "ORDERS_TEST_"  # what a developer's own machine sets for the tests


def _unknown(known: set[str]) -> list[str]:
    """Return a line for each variable that begins as ours do and is none."""
    lines = []
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known and not name.startswith(_TESTS):
            meant = get_close_matches(name, sorted(known), 1)
            lines.append(f"{name}: there is no such setting" + (f"; is {meant[0]} meant?" if meant else ""))
    return lines


def _traces(environment: Mapping[str, str]) -> tuple[bool, list[str]]:
    """Return whether OpenTelemetry's own variables ask for traces, and the mistakes in them.

    Unlike in its specification, no exporter is the default: traces are asked for by an endpoint, or by `otlp`.
    """

    def said(*names: str) -> tuple[str, str]:
        return next(((name, value) for name in names if (value := environment.get(name, "").strip())), ("", ""))

    by, exporter = said("OTEL_TRACES_EXPORTER")
    at, endpoint = said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    off = said("OTEL_SDK_DISABLED")[1].lower() == "true"
    if off or exporter == "none" or not (exporter or endpoint):
        return False, []
    faults = []
    if exporter not in ("", "otlp"):
        faults.append(f"{by}: must be otlp or none")
    if endpoint and not re.match(r"https?://[^/?#]+", endpoint):
        faults.append(f"{at}: must be a URL such as http://127.0.0.1:4318")
    over, protocol = said("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in ("", "http/protobuf"):
        faults.append(f"{over}: must be http/protobuf, which is what is spoken here")
    if missing := [package for module, package in _TRACING.items() if not _installed(module)]:
        faults.append(
            f"{at or by}: traces need {' and '.join(missing)}, not installed here; to install: "
            "pip install 'orders-registry[otel]'"
        )
    return True, faults


_TRACING = {
    "opentelemetry.sdk.trace": "opentelemetry-sdk",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
}


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # one that it stands in
        return False
