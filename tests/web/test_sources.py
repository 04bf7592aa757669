"""Sources' secrets over HTTP: how short one may be, and what is said of a weak one."""

import base64

import pytest

from tests.house import House

pytestmark = pytest.mark.anyio

STRONG = "a-made-up-secret-of-32-characters"


def whsec(key: bytes) -> str:
    return f"whsec_{base64.b64encode(key).decode()}"


@pytest.mark.parametrize(
    ("adapter", "secret", "taken", "warned"),
    [
        ("shopify", "", False, False),
        ("shopify", "1234567", False, False),
        ("shopify", "12345678", True, True),
        ("shopify", "123456789012345", True, True),
        ("shopify", "1234567890123456", True, False),
        ("standard", whsec(b"1234567"), False, False),  # what counts is what it stands for, not how it is written
        ("standard", whsec(b"12345678"), True, True),
        ("standard", whsec(b"123456789012345"), True, True),
        ("standard", whsec(b"1234567890123456"), True, False),
    ],
)
async def test_a_short_secret_is_warned_of_and_a_shorter_one_refused(
    house: House, adapter: str, secret: str, taken: bool, warned: bool
) -> None:
    made = await house.call("POST", "/v1/sources", {"adapter": adapter, "secret": secret})
    strong = STRONG if adapter == "shopify" else whsec(STRONG.encode())
    source = (await house.call("POST", "/v1/sources", {"adapter": adapter, "secret": strong})).json()
    assert source["warnings"] == []
    newer = await house.call("POST", f"/v1/sources/{source['source_id']}/secrets", {"secret": secret})
    for answer in (made, newer):
        assert (answer.status_code == 201) == taken, answer.text
        if taken:
            assert ["shorter than 16" in one for one in answer.json()["warnings"]] == [True] * warned
        else:
            assert [error["field"] for error in answer.json()["errors"]] == ["secret"]
            assert not secret or secret not in answer.text
