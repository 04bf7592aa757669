"""A person's values are blanked however a body writes them, and other people's stay."""

import json

import pytest

from app.base.blanking import blanked

JOSE = "José da Conceição"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"name": JOSE}).encode(),
        json.dumps({"name": JOSE.upper()}, ensure_ascii=False).replace("É", "é").replace("ÇÃ", "çã").encode(),
        json.dumps({"first_name": "José", "last_name": "da Conceição"}).encode(),
        json.dumps({"last": "Conceição", "phones": ["1"], "first": "José da"}, ensure_ascii=False).encode(),
        b"x=1&nome=Jos%C3%A9+da+Concei%C3%A7%C3%A3o",
        b"primeiro=Jos%C3%A9&ultimo=da%20Concei%C3%A7%C3%A3o",
    ],
)
def test_a_name_is_blanked_in_one_field_or_in_two(body: bytes) -> None:
    text = blanked(body, (), [JOSE])
    for part in ("jos", "concei"):
        assert part.encode() not in text.lower(), text


def test_a_part_of_a_name_alone_is_another_persons() -> None:
    body = json.dumps({"buyer": {"first": "José", "last": "Lima"}, "note": "x" * 200, "of": {"last": "da Conceição"}})
    assert blanked(body.encode(), (), [JOSE]) == body.encode()
