"""Settings: every mistake is named at once, a misspelt name too."""

import io
import json
import sys

import pytest

from app.base.log import log, set_up
from app.base.settings import BadSettings, read_settings


def test_a_misspelt_name_is_named_beside_what_else_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_DATABSE_URL", "sqlite:///x.db")
    monkeypatch.setenv("ORDERS_XYZ", "1")
    monkeypatch.setenv("ORDERS_PORT", "x")
    with pytest.raises(BadSettings) as told:
        read_settings()
    lines = str(told.value).splitlines()
    assert "ORDERS_PORT: must be a whole number" in lines
    assert "ORDERS_DATABSE_URL: there is no such setting; is ORDERS_DATABASE_URL meant?" in lines
    assert any(line.startswith("ORDERS_XYZ: there is no such setting") for line in lines)


@pytest.mark.parametrize("name", ["ORDERS_URL", "ORDERS_TOKEN", "ORDERS_ACCOUNT", "ORDERS_HOST", "ORDERS_LOG_FORMAT"])
def test_names_of_settings_are_known(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "json" if name == "ORDERS_LOG_FORMAT" else "127.0.0.1")
    read_settings()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("format_", "out", "as_json"),
    [
        ("", io.StringIO, True),
        ("", Terminal, False),
        ("json", Terminal, True),
        ("console", io.StringIO, False),
    ],
)
def test_the_log_is_json_but_on_a_terminal_or_as_it_is_set(
    log_put_back: None, monkeypatch: pytest.MonkeyPatch, format_: str, out: type[io.StringIO], as_json: bool
) -> None:
    monkeypatch.setenv("ORDERS_LOG_FORMAT", format_)
    monkeypatch.setattr(sys, "stderr", out())
    set_up(as_json=read_settings().logs_json)
    log.info("listening", port=8080)
    (line,) = sys.stderr.getvalue().splitlines()  # type: ignore[attr-defined]
    if as_json:
        assert json.loads(line)["event"] == "listening"
    else:
        assert "listening" in line and "port" in line and "8080" in line and not line.startswith("{")
