"""Both languages have words for the same things, and for everything that the pages say."""

import re
from pathlib import Path

import app.web
from adapters.contract import Status, Unverified
from app.base.outcome import Outcome

ASSETS = Path(app.web.__path__[0]) / "console" / "assets"
SCRIPTS = sorted(ASSETS.rglob("*.js"))


def words(language: str) -> dict[str, str]:
    lines = (ASSETS / "words" / f"{language}.js").read_text().splitlines()
    return dict(found.groups() for line in lines if (found := re.fullmatch(r'  "?([\w.]+)"?: (.+),', line)))  # type: ignore[misc]  # two groups


def test_the_same_things_with_the_same_gaps() -> None:
    english, portuguese = words("en"), words("pt-BR")
    assert list(english) == list(portuguese) and len(english) > 300
    for key, text in english.items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", portuguese[key])), key


def test_everything_that_is_said_has_words() -> None:
    said = (
        {key for path in SCRIPTS for key in re.findall(r'\bt\("([^"]+)"', path.read_text())}
        | {f"outcome.{one}" for one in Outcome if one not in {Outcome.NOT_FOUND, Outcome.BUSY}}
        | {f"status.{one}" for one in Status}
    )
    said |= {f"refusal.{value}" for name, value in vars(Unverified).items() if name.isupper()}
    assert not said - set(words("en"))


def test_no_page_makes_markup_from_text_or_names_another_address() -> None:
    assert len(SCRIPTS) > 20
    for path in SCRIPTS:
        text = path.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert word not in text, f"{path.name}: {word}"
        code = re.sub(r"//.*|/\*[\s\S]*?\*/", "", text)
        assert not re.findall(r"""["'`]https?://(?!www\.w3\.org)""", code.replace('"https://"', "")), path.name
