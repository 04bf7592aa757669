"""Why a signature does not match: every accident that people have is told by its name, and no secret with it."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import adapters
from adapters.contract import Delivery
from app.ingest.signature_help import KnownSecret, examine
from app.ingest.source_cache import Source
from tests.samples import Sample, all_samples, secret_for

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = "a-made-up-secret-of-32-characters"
OTHER = "another-made-up-secret-of-32-chars"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"id": 1, "note": "São Paulo/SP", "total_price": "10.00"}'.encode()


def source(adapter: str, options: Any = None) -> Source:
    loaded = adapters.load(adapter)
    return Source(
        account_id="acc_1",
        id="src_1",
        name="",
        adapter=loaded,
        options=options or loaded.options(),
        enabled=True,
        account_enabled=True,
        region="BR",
        currency="BRL",
        hold=False,
        url="https://r.example.com/webhooks/src_1",
        secrets=(),
        sealed_key=None,
        anybody_erased=False,
    )


def arrived(headers: dict[str, str], body: bytes = BODY, query: dict[str, str] | None = None) -> Delivery:
    return Delivery(body=body, headers=headers, query=query, received_at=NOW)


def known(*secrets: str) -> list[KnownSecret]:
    return [KnownSecret(secret_id=f"sec_{at}", secret=secret, counts=True) for at, secret in enumerate(secrets)]


def shopify(body: bytes = BODY, secret: str = SECRET) -> bytes:
    return hmac.digest(secret.encode(), body, "sha256")


def told(adapter: str, delivery: Delivery, secrets: list[KnownSecret]) -> dict[str, Any]:
    found = examine(source(adapter), delivery, secrets)
    said = json.dumps(found)
    for one in secrets:
        assert one.secret not in said
        assert one.secret.removeprefix("whsec_") not in said
    assert found["verified"] == any(one["matches"] for one in found["secrets"])
    return found


HEADER = "x-shopify-hmac-sha256"


def test_a_right_signature_matches_and_says_by_which_secret() -> None:
    digest = base64.b64encode(shopify()).decode()
    found = told("shopify", arrived({HEADER: digest}), known(OTHER, SECRET))
    assert found["verified"] is True
    assert [one["matches"] for one in found["secrets"]] == [False, True]
    assert found["looked_for"] == [{"place": f"header {HEADER}", "found": True, "sent": f"{digest[:4]}…"}]
    assert found["secrets"][1]["expected"] == f"{digest[:4]}…"
    assert digest not in json.dumps(found)
    assert found["hints"] == []


def test_a_missing_header_is_named() -> None:
    found = told("shopify", arrived({"x-shopify-topic": "orders/paid"}), known(SECRET))
    assert found["looked_for"] == [{"place": f"header {HEADER}", "found": False, "sent": None}]
    assert found["secrets"][0]["reason"] == "signature_missing"


def test_one_of_several_headers_that_is_missing_is_named_and_nothing_is_expected_of_the_others() -> None:
    headers = {"webhook-id": "msg_1", "webhook-signature": "v1,AAAA"}
    found = told("standard", arrived(headers), known(WHSEC))
    assert found["hints"] == ["what is not there: header webhook-timestamp"]
    assert found["secrets"][0]["expected"] is None
    found = told("standard", arrived({}), known(WHSEC))
    assert found["hints"] == [
        "what is not there: header webhook-id, header webhook-timestamp, header webhook-signature"
    ]
    assert found["secrets"][0]["expected"] is None


def test_without_a_secret_that_is_what_it_says() -> None:
    found = told("shopify", arrived({HEADER: "x"}), [])
    assert [one["reason"] for one in found["secrets"]] == ["no_secret"]


@pytest.mark.parametrize(
    ("headers", "hint"),
    [
        ({HEADER: shopify().hex()}, "written in hexadecimal where base64 is expected"),
        ({HEADER: f"sha256={base64.b64encode(shopify()).decode()}"}, "before or after"),
        ({HEADER: base64.urlsafe_b64encode(shopify()).decode().rstrip("=")}, "signature is right, but"),
        ({"x-signature": base64.b64encode(shopify()).decode()}, "stands in the header x-signature; it is looked for"),
        ({HEADER: base64.b64encode(shopify(BODY + b"\n")).decode()}, "lacks a line break at its end"),
        ({HEADER: base64.b64encode(shopify(json.dumps(json.loads(BODY)).encode())).decode()}, "JSON was written anew"),
        ({HEADER: base64.b64encode(shopify(BODY.replace(b"/", b"\\/"))).decode()}, "JSON was written anew"),
        (
            {HEADER: base64.b64encode(shopify(secret=f"{SECRET}\n")).decode()},
            "copy of the secret ends with a line break",
        ),
    ],
)
def test_the_usual_accidents_are_told_by_their_names(headers: dict[str, str], hint: str) -> None:
    found = told("shopify", arrived(headers), known(SECRET))
    assert found["verified"] is False
    (said,) = found["hints"]
    assert hint in said


@pytest.mark.parametrize(
    ("signed", "came", "hint"),
    [
        (BODY, BODY + b"\n", "has a line break at its end that was not signed"),
        (BODY, b"\xef\xbb\xbf" + BODY, "byte order mark"),
        (b'{\n"id": 1\n}', b'{\r\n"id": 1\r\n}', "became CRLF on the way"),
        (b'{\r\n"id": 1\r\n}', b'{\n"id": 1\n}', "were CRLF when it was signed"),
        (b'{"id":1}', b'{ "id" : 1 }', "JSON was written anew"),
    ],
)
def test_what_became_of_the_body_on_its_way_is_told(signed: bytes, came: bytes, hint: str) -> None:
    found = told("shopify", arrived({HEADER: base64.b64encode(shopify(signed)).decode()}, came), known(SECRET))
    assert any(hint in said for said in found["hints"]), found["hints"]


def test_upper_case_is_told() -> None:
    sent_at = str(int(NOW.timestamp()))
    mac = hmac.digest(SECRET.encode(), f"{sent_at}.".encode() + BODY, "sha256").hex().upper()
    found = told("stripe", arrived({"stripe-signature": f"t={sent_at},v1={mac}"}), known(SECRET))
    assert found["hints"] == ["the signature is right, but in upper instead of lower case"]


@pytest.mark.parametrize(("seconds", "side"), [(4000, "in the past"), (-4000, "in the future")])
def test_the_clocks_are_told_with_the_seconds(seconds: int, side: str) -> None:
    loaded = adapters.load("stripe")
    at = NOW - timedelta(seconds=seconds)
    delivery = loaded.signature.sign(arrived({}), SECRET, at)
    found = told("stripe", delivery, known(SECRET))
    assert found["hints"] == [f"the signature is right, but was made 4000 s {side}; at most 300 s are allowed"]
    assert found["secrets"][0]["reason"] in {"timestamp_too_old", "timestamp_too_new"}


@pytest.mark.parametrize("family", ["webhook", "svix"])
def test_a_secrets_text_taken_as_the_key_is_told(family: str) -> None:
    sent_at = str(int(NOW.timestamp()))
    message = f"msg_1.{sent_at}.".encode() + BODY
    mac = base64.b64encode(hmac.digest(WHSEC.encode(), message, "sha256")).decode()
    headers = {f"{family}-id": "msg_1", f"{family}-timestamp": sent_at, f"{family}-signature": f"v1,{mac}"}
    found = told("standard", arrived(headers), known(WHSEC))
    assert [one["place"] for one in found["looked_for"]] == [
        f"header {family}-{name}" for name in ("id", "timestamp", "signature")
    ]
    (hint,) = found["hints"]
    assert "took the secret's text as the key" in hint


def test_another_sources_secret_and_a_revoked_one_are_told_by_their_ids() -> None:
    others = [
        KnownSecret(secret_id="sec_8", secret=OTHER, counts=False, because="a secret of src_2 (shopify, Loja)"),
        KnownSecret(
            secret_id="sec_9", secret="the-one-before-it-of-32-characters", counts=False, because="which was revoked"
        ),
    ]
    delivery = arrived({HEADER: base64.b64encode(shopify(secret=OTHER)).decode()})
    found = told("shopify", delivery, [*known(SECRET), *others])
    assert found["hints"] == ["it was signed with sec_8, a secret of src_2 (shopify, Loja)"]
    assert [one["secret_id"] for one in found["secrets"]] == ["sec_0"]


def test_a_token_is_never_shown_not_even_its_beginning() -> None:
    found = told("xendit", arrived({"x-callback-token": f"Bearer {SECRET}"}), known(SECRET))
    assert found["secrets"][0]["expected"] is None
    assert any("x-callback-token" in hint for hint in found["hints"])


# Whose own schemes do not tell yet where they look, so that the help can only say what is expected.
UNSAID = {"adyen", "mercadopago", "saleor", "wix"}


@pytest.mark.parametrize("sample", list(all_samples()), ids=lambda one: f"{one.adapter_name}-{one.case}")
def test_every_adapters_scheme_can_be_examined(sample: Sample) -> None:
    secret, other = secret_for(sample.adapter), secret_for(sample.adapter, "7b" * 32)
    at = source(sample.adapter_name, sample.options)
    for delivery in (sample.delivery, sample.signed(secret), sample.signed(other).changed(body=sample.body + b" ")):
        found = examine(at, delivery, known(secret))
        assert secret.removeprefix(sample.adapter.secret_prefix) not in json.dumps(found)
        assert found["expects"]
        assert bool(found["looked_for"] or found["verified"]) == (
            sample.adapter_name not in UNSAID or found["verified"]
        )
