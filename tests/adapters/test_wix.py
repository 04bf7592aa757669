"""Wix: a token that is the body; which tokens are believed, in which spellings the key may come, and the inner events."""

import base64
import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from adapters.contract import Delivery, Ignored, Status, Unreadable, Unverified
from tests.house import House
from tests.junk import bodies_like
from tests.reading import Source, arrived
from tests.samples import DIGITS, OTHER_DIGITS, private_key, samples

NOW = datetime(2026, 11, 20, 13, 5, 5, tzinfo=UTC)
WIX = Source("wix")
PRIVATE = private_key(DIGITS)
CASES = {sample.case: sample for sample in samples("wix")}


def public(private: str) -> str:
    key = load_pem_private_key(private.encode(), None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


PUBLIC = public(PRIVATE)


def signed(case: str = "paid", at: datetime = NOW) -> Delivery:
    return WIX.sign(CASES[case].body, PRIVATE, at=at)


def refused(delivery: Delivery, *secrets: str, at: datetime = NOW) -> str:
    return WIX.refuse(delivery, *(secrets or [PUBLIC]), now=at)


def coded(part: Any) -> bytes:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def test_a_token_is_proven_with_the_public_key_alone() -> None:
    assert WIX.verify(signed(), public(private_key(OTHER_DIGITS)), PUBLIC) == PUBLIC
    assert refused(signed(), public(private_key(OTHER_DIGITS))) == Unverified.MISMATCH
    assert not WIX.scheme.signs_with(PUBLIC)
    assert WIX.sign(b"{}", PUBLIC).body == b"{}"


def test_the_key_is_taken_in_every_spelling_in_which_people_copy_it() -> None:
    for spelling in (
        PUBLIC.strip(),
        PUBLIC.replace("\n", "\\n"),
        PUBLIC.replace("\n", " "),
        PUBLIC.replace("\n", ""),
        base64.b64encode(PUBLIC.encode()).decode(),
    ):
        assert WIX.verify(signed(), spelling) == spelling
    for junk in ("x" * 40, PUBLIC[:-60], "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"):
        assert refused(signed(), junk) == Unverified.NO_SECRET


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512", "rs256", None, ["RS256"]])
def test_the_token_does_not_choose_its_algorithm(algorithm: Any) -> None:
    start = coded({"alg": algorithm, "typ": "JWT"}) + b"." + coded(CASES["paid"].body)
    mac = hmac.digest(PUBLIC.encode(), start, hashlib.sha256)
    for signature in (b"", coded(mac), signed().body.rpartition(b".")[2]):
        assert refused(arrived(start + b"." + signature)) == Unverified.MISMATCH


def test_another_header_over_the_same_signature_is_refused() -> None:
    header, claims, signature = signed().body.split(b".")
    assert refused(arrived(coded({"alg": "RS256", "kid": "x"}) + b"." + claims + b"." + signature))
    assert refused(arrived(header + b"=." + claims + b"." + signature)) == Unverified.MISMATCH


def test_its_time_counts() -> None:
    delivery = signed()
    # Two days of further tries, whether or not they are signed anew.
    assert WIX.verify(delivery, PUBLIC, now=NOW + timedelta(hours=48))
    assert refused(delivery, at=NOW + timedelta(days=4)) == Unverified.TOO_OLD
    assert refused(delivery, at=NOW - timedelta(minutes=6)) == Unverified.TOO_NEW


def event(case: str, **changes: Any) -> tuple[Any, Any]:
    outer = json.loads(CASES[case].body)
    envelope = json.loads(outer["data"])
    inner = json.loads(envelope["data"])
    return envelope | changes, inner


def body(envelope: Any, inner: Any, *, as_text: bool = True) -> bytes:
    said = envelope | {"data": json.dumps(inner) if as_text else inner}
    return json.dumps({"data": json.dumps(said) if as_text else said}).encode()


def test_objects_in_place_of_their_text_are_read_the_same() -> None:
    envelope, inner = event("paid")
    assert WIX.translation(arrived(body(envelope, inner, as_text=False))) == WIX.translation(
        arrived(body(envelope, inner))
    )


STATUSES = [
    ("APPROVED", "NOT_PAID", Status.PENDING, "NOT_PAID"),
    ("INITIALIZED", "UNSPECIFIED", Status.PENDING, "UNSPECIFIED"),
    ("APPROVED", "PENDING_MERCHANT", Status.PENDING, "PENDING_MERCHANT"),
    ("APPROVED", "PARTIALLY_PAID", Status.PARTIALLY_PAID, "PARTIALLY_PAID"),
    ("APPROVED", "PARTIALLY_REFUNDED", Status.PAID, "PARTIALLY_REFUNDED"),
    ("APPROVED", "DECLINED", Status.FAILED, "DECLINED"),
    ("CANCELED", "PAID", Status.CANCELED, "CANCELED"),
    ("REJECTED", "NOT_PAID", Status.CANCELED, "REJECTED"),
    ("CANCELED", "FULLY_REFUNDED", Status.REFUNDED, "FULLY_REFUNDED"),
]


@pytest.mark.parametrize(("status", "payment", "ours", "theirs"), STATUSES)
def test_statuses(status: str, payment: str, ours: Status, theirs: str) -> None:
    envelope, inner = event("created")
    inner["createdEvent"]["entity"] |= {"status": status, "paymentStatus": payment}
    (order,) = WIX.translation(arrived(body(envelope, inner)))
    assert (order["status"], order["source_status"]) == (ours, theirs)


def test_any_value_of_the_inner_event_may_be_anything() -> None:
    envelope, inner = event("partly_refunded")
    for changed in bodies_like(json.dumps(inner).encode(), most=3000, turn=0):
        delivery = arrived(body(envelope, json.loads(changed)))
        with suppress(Ignored, Unreadable):
            WIX.orders(delivery)


async def test_through_the_door_with_the_public_key(house: House) -> None:
    source = await house.source("wix", secret=PUBLIC)
    present = datetime.now(UTC)
    for case, outcome in (("created", "created"), ("paid", "updated"), ("refunded", "updated"), ("paid", "duplicate")):
        assert (await house.deliver(source, signed(case, present))).json()["outcome"] == outcome
    (order,) = await house.data("/v1/orders")
    assert (order["status"], order["refunded_value"]) == ("refunded", "348.50")
    tried = await house.call("POST", f"/v1/sources/{source}/test", {})
    assert (tried.status_code, tried.json()["code"]) == (409, "conflict")
    assert "only Wix itself can sign" in tried.json()["detail"]
    wrong = await house.call("POST", "/v1/sources", {"adapter": "wix", "secret": "not a public key"})
    assert wrong.status_code == 422


pytestmark = pytest.mark.anyio
