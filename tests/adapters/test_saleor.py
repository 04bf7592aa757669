"""Saleor: the published signature, why public keys sign nothing, and one order in three shapes."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.contract import UNKNOWN, Ignored, Status, Unreadable, Unverified
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded

SALEOR = Source("saleor")

# saleor/app-sdk, src/auth/verify-signature.test.ts
JWKS = (
    '{"keys": [{"kty": "RSA", "key_ops": ["verify"], "n": "uDhbbpspufsQiqHsmC4kvmFQ5l2mGZsGcWhKVSQKQubSdXMedPpLnPD3Z3DsY7'
    "6DILTm6WfOtSp5rr4KzF5wjurlOEhuFsB1HUfK9ZZB2nEDCQbweoIv3SOdclaNB__pYvQ0nmQHwsAeqH1QUuFUIvOL3t31rhjvzX6wvS49fGNb7rDlqQ"
    "jufCvaX_n-ADJTgEAg6y1Mzn5NhgoTV1KTBeviyZqCdwvD6bk1ghN2XXWpNcARTzu3WHrmzIzkTwQeIMG8efwIddjfCaMGiOzAfzdQlqHlHPL1Xb5kV9"
    'AVX3kiSy-9shaQY23HdWwwiodrb4k2w34Z9ZZN-MHp8i6JdQ", "e": "AQAB", "use": "sig", "kid": "yKw9XyEf8x2bwyJGBYYSrHsyzGhxJ'
    'jKKvZdokNe9FIc"}]}'
)
VECTOR_BODY = b'{"__typename": "OrderCreated"}'
VECTOR = (
    "eyJhbGciOiJSUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il0sImlzcyI6Imh0dHBzOi8vaGFja2F0aG9uLXNoaXBwaW5nLmV1LnNhbGVvci5j"
    "bG91ZC9ncmFwaHFsLyIsImtpZCI6InlLdzlYeUVmOHgyYnd5SkdCWVlTckhzeXpHaHhKaktLdlpkb2tOZTlGSWMiLCJ0eXAiOiJKV1QifQ..ShPbfvYc"
    "_A5Aq3hiT6sisDclKikDkhxOvGXT2ZWgdsGRjZpg9ukiHRZym0kbfMfDqU5C3Pfo6n7am0ExwbnFWBfOil3pfe3uJOcOn_UGRj76Fy-59TB0JdS_WuTg"
    "NQcYM8Yjvlq2sNK4jdAfJVRTTx8FVgEpFrHBKmcMPfD7zuDozswIDMZOkklYqBcyQ76DJYIRVhl3QsktYPPrxDoqf-GJ--e9FuNqtqNDksP1weiDSraq"
    "XCF4-Ie7UWZsMIFxkPF8jdKjF_s1UmNS8Xel8soFQQ9L6Gps-NEv7xcHicGt5lgohH4mqhz1YIxCR7v_NTQgWImu_GQ6ELBiBSIZ2Q"
)


def verify(body: bytes, signature: str, *secrets: str, header: str = "saleor_signature") -> str:
    return SALEOR.verify(arrived(body, **{header: signature}), *secrets)


def refused(body: bytes, signature: str, *secrets: str) -> str:
    return SALEOR.refuse(arrived(body, saleor_signature=signature), *secrets)


def coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def jwks(key: RSAPrivateKey) -> str:
    numbers = key.public_key().public_numbers()
    listed = {"kty": "RSA", "n": coded(numbers.n.to_bytes(256)), "e": coded(numbers.e.to_bytes(3))}
    return json.dumps({"keys": [{"kty": "EC", "crv": "P-256"}, listed]})


def jws(key: RSAPrivateKey, body: bytes, payload: str = "", **header: Any) -> str:
    head = coded(json.dumps({"alg": "RS256", "b64": False, "crit": ["b64"], **header}).encode())
    signed = head.encode() + b"." + (payload.encode() or body)
    return f"{head}.{payload}.{coded(key.sign(signed, PKCS1v15(), SHA256()))}"


# -- Signature ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["saleor_signature", "x_saleor_signature"])
def test_published_vector(header: str, key: RSAPrivateKey) -> None:
    for secrets in ([JWKS], ["a webhook's own secret", JWKS], [jwks(key), JWKS]):
        assert verify(VECTOR_BODY, VECTOR, *secrets, header=header) == JWKS
    assert refused(b'{"forged": "payload"}', VECTOR, JWKS) == Unverified.MISMATCH
    assert refused(VECTOR_BODY + b"\n", VECTOR, JWKS) == Unverified.MISMATCH
    assert refused(VECTOR_BODY, VECTOR[:-4] + "AAAA", JWKS) == Unverified.MISMATCH
    assert refused(VECTOR_BODY, VECTOR, jwks(key)) == Unverified.MISMATCH
    assert refused(VECTOR_BODY, VECTOR, "a webhook's own secret") == Unverified.MISMATCH


def test_a_key_of_ours_signs_as_saleor_does(key: RSAPrivateKey) -> None:
    assert verify(b"{}", jws(key, b"{}"), jwks(key)) == jwks(key)
    assert refused(b"{ }", jws(key, b"{}"), jwks(key)) == Unverified.MISMATCH


@pytest.mark.parametrize(
    "header",
    [{"alg": "none"}, {"alg": "HS256"}, {"b64": True}, {"b64": None}, {"crit": None}, {"crit": ["b64", "exp"]}],
)
def test_no_other_header_is_taken(header: dict[str, Any], key: RSAPrivateKey) -> None:
    assert refused(b"{}", jws(key, b"{}", **header), jwks(key)) == Unverified.MALFORMED


def test_a_persons_access_token_is_no_signature(key: RSAPrivateKey) -> None:
    """Saleor signs those with the same key; their payload, sent as the body, must prove nothing."""
    payload = coded(b'{"sub": "someone"}')
    token = jws(key, b"", payload)
    assert refused(payload.encode(), token, jwks(key)) == Unverified.MALFORMED
    head, _, signature = token.split(".")
    assert verify(payload.encode(), f"{head}..{signature}", jwks(key))  # so it is the header that must tell them apart
    plain = jws(key, b"", payload, b64=None, crit=None)
    head, _, signature = plain.split(".")
    assert refused(payload.encode(), f"{head}..{signature}", jwks(key)) == Unverified.MALFORMED


@pytest.mark.parametrize(
    "sent", ["..", "a..b", "e30..", "e30..e30", "{}..x", "é..é", VECTOR.replace("..", "."), "." * 9]
)
def test_signatures_that_are_none(sent: str) -> None:
    assert refused(VECTOR_BODY, sent, JWKS) in (Unverified.MALFORMED, Unverified.MISMATCH)


def test_public_keys_are_no_hmac_key(key: RSAPrivateKey) -> None:
    """Anybody can read them, and could sign with them."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for secret in (JWKS, jwks(key), pem, "\n" + pem, " " + JWKS):
        mac = hmac.new(secret.encode(), b"{}", hashlib.sha256).hexdigest()
        assert refused(b"{}", mac, secret) == Unverified.MISMATCH
        assert verify(b"{}", hmac.new(b"own secret", b"{}", "sha256").hexdigest(), secret, "own secret") == "own secret"


def test_a_webhooks_own_secret_before_3_24() -> None:
    body, secret = b'{"order":{"id":"1"}}', "made-up-secret"
    # computed with `openssl dgst -sha256 -hmac made-up-secret`
    mac = "f7b0fb582474102cd26e42f260cd9f27554841bd37f946c6e7905382f8b6c58f"
    assert SALEOR.sign(body, secret).headers == {"saleor-signature": mac}
    assert verify(body, mac, JWKS, secret) == secret
    assert refused(body, mac.upper(), secret) == Unverified.MISMATCH


@pytest.mark.parametrize(
    "secret", ["{", "{}", '{"keys": []}', '{"keys": [{"kty": "EC"}]}', '{"keys": [{"kty": "RSA"}]}']
)
def test_what_holds_no_public_key_is_refused_when_it_is_given(secret: str) -> None:
    with pytest.raises(Unverified) as why:
        SALEOR.sign(b"{}", secret)
    assert why.value.reason == Unverified.NO_SECRET
    assert SALEOR.sign(b"{}", JWKS).headers == {}  # only Saleor can sign for these


# -- Orders -------------------------------------------------------------------------------------------------------


def read(document: object, kind: str = "order_updated") -> OrderView:
    return SALEOR.order(document, saleor_event=kind)


def said(
    kind: str = "order_updated", status: str | None = "UNFULFILLED", charge: str | None = None, **fields: Any
) -> OrderView:
    order = {"id": "T1", "status": status, "paymentStatus": charge, **fields}
    return read({"issuedAt": "2026-11-20T13:00:05+00:00", "order": order}, kind)


@pytest.mark.parametrize(
    ("kind", "standing", "charge", "status"),
    [
        ("order_created", "UNCONFIRMED", "NOT_CHARGED", Status.PENDING),
        ("order_created", "UNFULFILLED", "FULLY_CHARGED", Status.PAID),
        ("ORDER_CREATED", "UNFULFILLED", None, Status.PENDING),
        ("order_updated", "UNFULFILLED", "PENDING", Status.PENDING),
        ("order_updated", "FULFILLED", "PARTIALLY_CHARGED", Status.PARTIALLY_PAID),
        ("order_updated", "PARTIALLY_FULFILLED", "FULLY_CHARGED", Status.PAID),
        ("order_updated", "RETURNED", "PARTIALLY_REFUNDED", Status.PAID),
        ("order_updated", "RETURNED", "FULLY_REFUNDED", Status.REFUNDED),
        ("order_updated", "UNFULFILLED", "REFUSED", Status.FAILED),
        ("order_updated", "UNFULFILLED", "CANCELLED", Status.CANCELED),
        ("order_updated", "UNFULFILLED", "IN_REVIEW", UNKNOWN),
        ("order_updated", "UNFULFILLED", None, None),
        ("order_updated", "IN_REVIEW", None, UNKNOWN),
        ("order_updated", "IN_REVIEW", "FULLY_CHARGED", Status.PAID),
        ("order_fully_paid", "UNFULFILLED", None, Status.PAID),
        ("order_fully_refunded", "FULFILLED", None, Status.REFUNDED),
        ("order_cancelled", "CANCELED", "NOT_CHARGED", Status.CANCELED),
        ("order_cancelled", "CANCELED", "FULLY_CHARGED", Status.CANCELED),
        ("order_cancelled", "CANCELED", "FULLY_REFUNDED", Status.REFUNDED),
        ("order_cancelled", None, None, Status.CANCELED),
        ("order_expired", "EXPIRED", "NOT_CHARGED", Status.CANCELED),
        ("order_updated", "UNFULFILLED", "NONE", Status.PENDING),
        ("order_updated", "UNFULFILLED", "PARTIAL", Status.PARTIALLY_PAID),
        ("order_updated", "FULFILLED", "FULL", Status.PAID),
        ("order_updated", "FULFILLED", "OVERCHARGED", Status.PAID),
    ],
)
def test_status(kind: str, standing: str | None, charge: str | None, status: object) -> None:
    assert said(kind, standing, charge).status is status


def test_the_newer_charge_status_is_read_as_well() -> None:
    told = {"id": "T1", "status": "UNFULFILLED", "chargeStatus": "FULL"}
    order = read({"issuedAt": "2026-11-20T13:00:05+00:00", "order": told})
    assert (order.status, order.source_status) == (Status.PAID, "FULL")


def test_drafts_are_carts() -> None:
    with pytest.raises(Ignored):
        said(status="DRAFT")


GROSS = {"gross": {"amount": 408.9, "currency": "BRL"}}


def brl(amount: float) -> dict:
    return {"amount": amount, "currency": "BRL"}


@pytest.mark.parametrize(
    ("charge", "fields", "status", "paid", "back"),
    [
        ("NOT_CHARGED", {}, "pending", 0, 0),
        ("FULLY_CHARGED", {}, "paid", 40890, 0),  # an older query
        ("FULLY_CHARGED", {"totalCharged": brl(408.9), "totalRefunded": brl(0)}, "paid", 40890, 0),
        ("PARTIALLY_CHARGED", {"totalCharged": brl(100), "totalRefunded": brl(0)}, "partially_paid", 10000, 0),
        ("PARTIALLY_CHARGED", {}, "partially_paid", 0, 0),
        ("PARTIALLY_REFUNDED", {"totalCharged": brl(308.9), "totalRefunded": brl(100)}, "paid", 40890, 10000),
        ("PARTIALLY_REFUNDED", {"totalRefunded": brl(100)}, "paid", 40890, 10000),
        ("PARTIALLY_CHARGED", {"totalCharged": brl(50), "totalRefunded": brl(50)}, "partially_paid", 10000, 5000),
        ("FULLY_REFUNDED", {"totalCharged": brl(0), "totalRefunded": brl(408.9)}, "refunded", 40890, 40890),
        ("FULLY_REFUNDED", {"totalCharged": brl(0), "totalRefunded": brl(0)}, "refunded", 40890, 40890),
        ("NONE", {"totalCharged": brl(0), "totalRefunded": brl(408.9)}, "refunded", 40890, 40890),  # chargeStatus
        ("OVERCHARGED", {"totalCharged": brl(500), "totalRefunded": brl(0)}, "paid", 50000, 0),
    ],
)
def test_what_was_taken(charge: str, fields: dict, status: str, paid: int, back: int) -> None:
    result = folded(said(charge=charge, total=GROSS, **fields))
    assert (result.status, result.value, result.paid_value, result.refunded_value) == (status, 40890, paid, back)


def test_a_paid_order_that_is_cancelled_keeps_its_money() -> None:
    result = folded(said("order_cancelled", "CANCELED", "FULLY_CHARGED", total=GROSS))
    assert (result.status, result.notes) == ("paid", ("canceled_unrefunded",))
    assert folded(said("order_cancelled", "CANCELED", "NOT_CHARGED", total=GROSS)).status == "canceled"


def older(charge: str, captured: str | None, total: str = "100.00", **fields: object) -> dict:
    return {"charge_status": charge, "captured_amount": captured, "total": total, "currency": "USD", **fields}


@pytest.mark.parametrize(
    ("payments", "status", "paid", "back"),
    [
        ([older("fully-charged", "100.00")], "paid", 10000, 0),
        ([older("partially-charged", "40.00")], "partially_paid", 4000, 0),
        ([older("partially-refunded", "40.00")], "paid", 10000, 6000),
        ([older("fully-refunded", "0.00", is_active=False)], "refunded", 10000, 10000),
        ([older("not-charged", "0.00")], "pending", 0, 0),
        (
            [older("refused", "0.00", is_active=False), older("fully-charged", "100.00", is_active=True)],
            "paid",
            10000,
            0,
        ),
        ([older("fully-charged", None)], "paid", 10000, 0),
    ],
)
def test_payments_of_the_older_bodies(payments: list, status: str, paid: int, back: int) -> None:
    result = folded(read([{"id": "T1", "total_gross_amount": "100.00", "currency": "USD", "payments": payments}]))
    assert (result.status, result.value, result.paid_value, result.refunded_value) == (status, 10000, paid, back)


def test_a_refund_that_was_reversed_is_none() -> None:
    paid = said("order_fully_paid", charge="FULLY_CHARGED", total=GROSS)
    order = {"id": "T1", "status": "UNFULFILLED", "paymentStatus": "FULLY_CHARGED", "total": GROSS}
    back = read({"issuedAt": "2026-11-21T13:00:00Z", "order": {**order, "totalRefunded": brl(100)}})
    gone = read({"issuedAt": "2026-11-22T13:00:00Z", "order": {**order, "totalRefunded": brl(0)}})
    assert [folded(paid, back).refunded_value, folded(paid, back, gone).refunded_value] == [10000, 0]


@pytest.mark.parametrize(
    ("fields", "name", "phones", "country"),
    [
        ({"shippingAddress": {"firstName": "Bia", "phone": "+1", "country": {"code": "US"}}}, "Bia", ("+1",), "US"),
        (
            {
                "billingAddress": {"firstName": "Ana", "country": {"code": "BR"}},
                "shippingAddress": {"firstName": "Bia", "phone": "+1"},
            },
            "Ana",
            (),
            "BR",
        ),
        ({"billing_address": {"first_name": "Ana", "country": "BR", "phone": "+2"}}, "Ana", ("+2",), "BR"),
    ],
)
def test_who_bought(fields: dict, name: str, phones: tuple, country: str) -> None:
    customer = said(**fields).customer
    assert customer
    assert (customer.name, customer.phones, customer.country) == (name, phones, country)


def test_what_an_order_can_be_without_is_left_out() -> None:
    result = folded(said(charge="FULLY_CHARGED", total=GROSS, created="0001-01-01T00:00:00", lines=[{"quantity": "x"}]))
    assert (result.status, result.value, result.notes) == ("paid", 40890, ("field_left_out",))


def test_money_in_both_spellings() -> None:
    assert said(total=GROSS, totalRefunded={"amount": 0, "currency": "BRL"}).value == "408.90 BRL"
    assert said(total=GROSS, totalRefunded={"amount": 100.5, "currency": "BRL"}).refunds == {"total": "100.50 BRL"}
    old = {"id": "T1", "status": "unfulfilled", "total_gross_amount": "408.900"}
    assert read([{**old, "channel": {"currency_code": "BRL"}}]).value == "408.90 BRL"
    assert read([{**old, "currency": "JPY"}]).value == "409 JPY"
    assert read([old]).value is None


def test_times() -> None:
    issued, made = datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC), "2026-11-20 13:00:00.121991+00:00"
    assert said(updatedAt=made, created=made).at == issued
    paid = said("order_fully_paid", charge="FULLY_CHARGED", total=GROSS)
    assert [payment.at for payment in paid.order.payments] == [issued]
    order = {"id": "T1", "status": "unfulfilled", "created": made}
    assert read([order], "order_created").at == datetime(2026, 11, 20, 13, 0, 0, 121991, tzinfo=UTC)
    assert read([order], "order_updated").at is None
    told = read([{**order, "meta": {"issued_at": "2026-11-20T13:00:05+00:00"}}], "order_updated")
    assert told.at == issued


def test_metadata_in_both_spellings() -> None:
    listed = [{"key": "deal_id", "value": "7"}, {"key": None}, None, {"key": "crm_contact_id", "value": "42"}]
    for metadata in (listed, {"deal_id": "7", "crm_contact_id": "42"}):
        order = said(metadata=metadata)
        assert order.customer is not None
        assert (order.deal_id, order.customer.crm_id) == ("7", "42")
    assert said(metadata="x").deal_id is None


@pytest.mark.parametrize("document", [{}, {"order": None}, {"order": []}, [None], [[]], {"order": {"status": "X"}}, 5])
def test_what_cannot_be_read(document: object) -> None:
    with pytest.raises(Unreadable):
        read(document)


def test_a_list_of_none_holds_no_order() -> None:
    with pytest.raises(Ignored):
        read([])


def test_the_query_asks_for_what_is_read() -> None:
    for field in (
        "issuedAt",
        "paymentStatus",
        "totalCharged",
        "totalRefunded",
        "userEmail",
        "undiscountedUnitPrice",
        "metadata",
    ):
        assert field in SALEOR.adapter.paste
    for topic in SALEOR.adapter.topics:
        assert f"... on {''.join(word.title() for word in topic.split('_'))} " in SALEOR.adapter.paste
        assert topic.lower() in SALEOR.adapter.reads


# -- Documented bodies --------------------------------------------------------------------------------------------

EXPECTED = {
    "the_order_has_been_created__1": (Status.PENDING, "240.82 USD", "VXNlcjo1MQ=="),
    "the_payment_has_been_confirmed__1": (Status.PAID, "240.82 USD", "VXNlcjo1MQ=="),
    "the_order_has_been_fulfilled__1": (None, "55.18 USD", "VXNlcjo1Mg=="),
    "the_invoice_for_the_order_is_ready__1": None,
    "the_order_has_been_canceled__1": (Status.CANCELED, "41.68 USD", "VXNlcjo1Mw=="),
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("saleor"):
        assert SALEOR.summary(path.read_bytes(), saleor_event="notify_user") == EXPECTED[path.stem], path.stem
