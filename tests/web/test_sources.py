"""Sources' secrets over HTTP: how short one may be, and what is said of a weak one."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.house import House, signed

pytestmark = pytest.mark.anyio

STRONG = "a-made-up-secret-of-32-characters"
# A key of 1024 bits: what a library still makes. Anybody may have its other half.
SMALL = (
    RSAPublicNumbers(65537, 2**1023 + 1)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


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


@pytest.mark.parametrize(
    ("adapter", "secret", "says"),
    [
        ("stripe", "sk_live_51MadeUpKeyOfTheApi", "whsec_"),
        ("stripe", STRONG, "whsec_"),
        ("chargebee", STRONG, "user:password"),
        ("pagarme", f"{STRONG}:", "user:password"),
        ("pagarme", f":{STRONG}", "user:password"),
        ("squarespace", "abcd", "shorter"),
        ("adyen", "a1b2c3d4", "shorter"),  # eight letters, and four bytes
        ("wix", SMALL, "shape"),
        ("saleor", SMALL, "shape"),
    ],
)
async def test_a_secret_of_another_shape_is_refused(house: House, adapter: str, secret: str, says: str) -> None:
    answer = await house.call("POST", "/v1/sources", {"adapter": adapter, "secret": secret})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "secret" and says in error["message"] and secret not in answer.text


@pytest.mark.parametrize("around", ["\ufeff{}", "{}\u200b", '"{}"', "\u201c{}\u201d", "\u200b'{}'\u2060", "`{}`"])
async def test_what_is_copied_along_with_a_secret_is_taken_off_with_a_word(house: House, around: str) -> None:
    secret = whsec(STRONG.encode())
    made = (await house.call("POST", "/v1/sources", {"adapter": "standard", "secret": around.format(secret)})).json()
    assert ["taken off" in one for one in made["warnings"]] == [True]
    delivery = signed("standard", b'{"type": "ping", "timestamp": "2026-11-20T13:00:00Z", "data": {}}', secret=secret)
    assert (await house.deliver(made["source_id"], delivery)).status_code == 200
