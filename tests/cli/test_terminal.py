"""What came from elsewhere moves no cursor and turns no text around on a terminal, by whatever command it is shown."""

import json
import sys

import pytest

from app.cli import output

# Colour, a title, the line erased, C1's CSI, text turned around, an unseen mark.
HOSTILE = "a\x1b[31mb\x1b]0;title\x07c\x9b2Jd\u202ee\u200bf\rg"


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)


def harmless(text: str) -> bool:
    return all(char.isprintable() or char in "\n\t" for char in text)


@pytest.mark.usefixtures("on_terminal")
def test_nothing_from_elsewhere_is_a_command_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    said = {"title": HOSTILE, HOSTILE: [HOSTILE, {"deep": HOSTILE}]}
    output.as_json(said)
    output.as_json_line(said)
    output.standard_output().write(HOSTILE.encode() + "é".encode()[:1])
    output.terminal_or_stdout().write(HOSTILE)
    print(output.plain(said), output.word(HOSTILE).plain)
    assert harmless(capsys.readouterr().out)


@pytest.mark.usefixtures("on_terminal")
def test_json_on_a_terminal_is_still_the_same_json(capsys: pytest.CaptureFixture[str]) -> None:
    output.as_json({"title": HOSTILE})
    assert json.loads(capsys.readouterr().out) == {"title": HOSTILE}


def test_a_pipe_gets_the_exact_bytes(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert output.standard_output() is sys.stdout.buffer
    output.as_json_line({"title": HOSTILE})
    assert json.loads(capsysbinary.readouterr().out) == {"title": HOSTILE}
