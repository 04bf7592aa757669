"""Settings: every mistake is named at once, a misspelt name too."""

import pytest

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
