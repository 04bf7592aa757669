"""Woovi: the published signatures (one of them printed wrong), and charges that refunds and disputes find again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Strength, Unreadable, Unverified
from adapters.woovi import RsaAndToken
from tests.outside import Payloads
from tests.reading import NOW, OrderView, Source, arrived, folded

WOOVI = Source("woovi")

# developers.woovi.com/docs/webhook/seguranca/webhook-signature-validation; the body beside it, byte by byte.
RSA_BODY = (Path(__file__).parent / "vectors" / "woovi_charge_completed.json").read_bytes()
RSA_SIGNATURE = (
    "lL2nnXgmLFGgxJ8+jCDguqouU4ucrIxYJcU5SPrJFaNcJajTJHYVldqc/z4YFIjAjtPEALe699WosgPY08W7CLpidvtm06Qwa4YMB0l/"
    "DcTS93O91NdSH/adjugEKiOb76Zj/0jB8mqOmWCFYbweOBa17bssuEkd5Lw7Q5L314Y="
)
TOKEN = "a made up authorization"

# developers.woovi.com/docs/webhook/seguranca/webhook-hmac, as first printed (2021).
HMAC_KEY = "hmac-secret-key"
HMAC_BODY = b'{"data_criacao":"2021-08-10T20:32:14.429Z","evento":"teste_webhook"}'
HMAC_SIGNATURE = "jgR2XF0PKDiAwHP1s+TryvxMySQ="
# The page has had a longer body since, beside the signature of the shorter one.
TODAYS_BODY = b'{"data_criacao":"2021-08-10T20:32:14.429Z","evento":"teste_webhook","event":"OPENPIX:CHARGE_COMPLETED"}'
TODAYS_RIGHT_SIGNATURE = "/ea7YAJjvmfnRfuV+Xzl/HE8QDw="


def said(event: str, *, pix: object = None, account: object = None, **fields: Any) -> OrderView:
    charge = {"correlationID": "order-1", "status": "COMPLETED", "value": 39800, **fields}
    return WOOVI.order({"event": f"OPENPIX:{event}", "charge": charge, "pix": pix, "account": account})


# -- Signature ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "signature"), [(HMAC_BODY, HMAC_SIGNATURE), (TODAYS_BODY, TODAYS_RIGHT_SIGNATURE)])
def test_published_hmac(body: bytes, signature: str) -> None:
    delivery = arrived(body, x_openpix_signature=signature)
    assert WOOVI.verify(delivery, "old one", HMAC_KEY) == HMAC_KEY


def test_the_hmac_that_is_printed_today_is_wrong() -> None:
    assert WOOVI.refuse(arrived(TODAYS_BODY, x_openpix_signature=HMAC_SIGNATURE), HMAC_KEY) == Unverified.MISMATCH


@pytest.mark.parametrize("header", ["authorization", "x_openpix_authorization"])
def test_published_rsa(header: str) -> None:
    delivery = arrived(RSA_BODY, x_webhook_signature=RSA_SIGNATURE, **{header: TOKEN})
    assert WOOVI.verify(delivery, "old one", TOKEN) == TOKEN
    assert WOOVI.scheme.strength is Strength.MAC


def test_woovis_signature_alone_is_any_customers() -> None:
    for headers in ({}, {"authorization": "another"}, {"authorization": ""}):
        WOOVI.refuse(arrived(RSA_BODY, x_webhook_signature=RSA_SIGNATURE, **headers), TOKEN)


@pytest.mark.parametrize(
    ("body", "signature", "reason"),
    [
        (RSA_BODY + b"\n", RSA_SIGNATURE, Unverified.MISMATCH),
        (RSA_BODY.replace(b"1000", b"9000"), RSA_SIGNATURE, Unverified.MISMATCH),
        (RSA_BODY, RSA_SIGNATURE.swapcase(), Unverified.MISMATCH),
        (RSA_BODY, "AAAA", Unverified.MISMATCH),
        (RSA_BODY, "", Unverified.MISMATCH),
        (RSA_BODY, "not base64!", Unverified.MALFORMED),
        (RSA_BODY, "é", Unverified.MALFORMED),
    ],
)
def test_other_rsa_signatures_are_refused(body: bytes, signature: str, reason: str) -> None:
    with pytest.raises(Unverified) as refused:
        RsaAndToken().verify(arrived(body, x_webhook_signature=signature, authorization=TOKEN), [TOKEN], NOW)
    assert refused.value.reason == reason


def test_the_token_alone_proves_nothing() -> None:
    assert WOOVI.refuse(arrived(RSA_BODY, authorization=TOKEN), TOKEN) == Unverified.MISSING
    assert "x-webhook-signature" not in RsaAndToken().sign(arrived(RSA_BODY), TOKEN, NOW).headers


# -- Greetings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [HMAC_BODY, TODAYS_BODY, b'{"data_criacao":"2024-01-23","event":"OPENPIX:CHARGE_COMPLETED"}']
)
def test_the_test_of_a_new_webhook_is_greeted_and_makes_no_order(body: bytes) -> None:
    delivery = arrived(body)
    assert WOOVI.greeting(delivery)
    with pytest.raises(Ignored):
        WOOVI.orders(delivery)


@pytest.mark.parametrize(
    "body", [RSA_BODY, b"", b"[]", b"{}", b'{"event":"OPENPIX:CHARGE_COMPLETED"}', b'{"data_criacao":1,"charge":{}}']
)
def test_nothing_else_is_greeted(body: bytes) -> None:
    assert WOOVI.greeting(body) is None


# -- Kinds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"event": "OPENPIX:CHARGE_CREATED"}, "OPENPIX:CHARGE_CREATED"),
        ({"event": "woovi:DISPUTE_ACCEPTED"}, "OPENPIX:DISPUTE_ACCEPTED"),
        ({"charge": {}}, "OPENPIX:CHARGE_COMPLETED"),
        ({"evento": "teste_webhook"}, "teste_webhook"),
    ],
)
def test_kinds(document: object, kind: str) -> None:
    assert WOOVI.kind(document) == kind


@pytest.mark.parametrize("document", [{}, [], {"event": None}, {"evento": ""}, {"charge": None}])
def test_what_says_nothing_is_unreadable(document: object) -> None:
    with pytest.raises(Unreadable):
        WOOVI.kind(document)


@pytest.mark.parametrize(
    "event",
    [
        "OPENPIX:DISPUTE_CREATED",
        "OPENPIX:MOVEMENT_CONFIRMED",
        "BOLETO_SETTLED",
        "PIX_AUTOMATIC_REJECTED",
    ],
)
def test_what_is_no_order_is_ignored(event: str) -> None:
    with pytest.raises(Ignored):
        WOOVI.orders({"event": event, "charge": {}})


# -- Charges ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("ACTIVE", Status.PENDING),
        ("COMPLETED", Status.PAID),
        ("EXPIRED", Status.CANCELED),
        ("SOMETHING_NEW", UNKNOWN),
    ],
)
def test_statuses(word: str, status: object) -> None:
    assert said("CHARGE_COMPLETED", status=word).status is status


def test_money_is_cents_and_a_discount_counts() -> None:
    assert said("CHARGE_CREATED", value=1).value == "0.01 BRL"
    assert said("CHARGE_CREATED", discount=0, valueWithDiscount=10000000).value == "398.00 BRL"
    assert said("CHARGE_CREATED", discount=1000, valueWithDiscount=38800).value == "388.00 BRL"


def test_the_buyer_is_the_customer_and_else_the_payer() -> None:
    ana, bruno = ({"name": name, "taxID": {"taxID": tax}} for name, tax in (("Ana", "1"), ("Bruno", "2")))
    for customer, payer, name in ((ana, bruno, "Ana"), (None, bruno, "Bruno"), ([], None, None)):
        found = said("CHARGE_COMPLETED", customer=customer, pix={"payer": payer}).customer
        assert (found.name if found else None) == name
    listed = said("CHARGE_COMPLETED", customer={**ana, "taxID": ["Object"]}).customer  # as the manual's sample has it
    assert listed
    assert listed.documents == ()


def test_the_shops_own_words() -> None:
    info = [{"key": "crm_contact_id", "value": "42"}, {"key": "deal_id", "value": "7"}, {"key": "size", "value": 38}]
    order = said("CHARGE_CREATED", additionalInfo=info)
    assert order.customer
    assert (order.customer.crm_id, order.deal_id) == ("42", "7")


@pytest.mark.parametrize(("word", "test"), [("TESTING", True), ("PRODUCTION", False), (None, None)])
def test_test_orders(word: str | None, test: bool | None) -> None:
    assert said("CHARGE_CREATED", account={"environment": word}).test is test


# -- Refunds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("partial", "status"), [(False, Status.REFUNDED), (True, Status.PAID), (None, Status.PAID)])
def test_a_refund_that_is_told_with_its_charge(partial: bool | None, status: Status) -> None:
    pix = {
        "value": 39800 if partial is False else 9950,
        "endToEndId": "D1",
        "time": "2026-11-22T12:00:00Z",
        "partial": partial,
    }
    order = said("TRANSACTION_REFUND_RECEIVED", pix=pix, updatedAt="2026-11-20T13:00:00Z", transactionID="t1")
    assert folded(order).status is status
    assert order.at == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert order.refunds == {"D1": "398.00 BRL" if partial is False else "99.50 BRL"}
    assert order.aliases == ("t1",)  # the refund's own id is not the payment's
    del pix["value"]  # … nor where it says no amount
    nothing = said("TRANSACTION_REFUND_RECEIVED", pix=pix, transactionID="t1")
    assert (nothing.aliases, folded(nothing).status) == (("t1",), status)


def test_a_refund_meets_its_charge_in_the_pix_that_paid_it() -> None:
    paid = said("CHARGE_COMPLETED", pix={"endToEndId": "E1", "time": "2026-11-20T13:00:05Z"})
    assert paid.aliases == ("E1",)
    transactions = {
        "refundTransaction": {"value": 39800, "endToEndId": "D1", "time": "2026-11-22T12:00:00Z", "partial": False},
        "originalTransaction": {"value": 39800, "endToEndId": "E1", "payer": {"name": "Bruno"}},
    }
    sent = WOOVI.order({"event": "PIX_TRANSACTION_REFUND_SENT_CONFIRMED", **transactions})
    assert (sent.external_id, sent.preference, folded(sent).status, folded(sent).value) == (
        "E1",
        1,
        Status.REFUNDED,
        39800,
    )
    assert sent.customer is None  # who paid need not be who bought
    received = WOOVI.order({"event": "PIX_TRANSACTION_REFUND_RECEIVED_CONFIRMED", **transactions})
    assert (received.external_id, received.value, received.refunds) == ("E1", None, {"D1": "398.00 BRL"})
    taken = WOOVI.order({"event": "woovi:DISPUTE_ACCEPTED", "dispute": {"endToEndId": "E1", "status": "ACCEPTED"}})
    assert (taken.external_id, taken.at) == ("E1", None)
    assert folded(paid, taken).status is Status.REFUNDED
    given = WOOVI.order({"event": "woovi:DISPUTE_REJECTED", "dispute": {"endToEndId": "E1", "status": "REJECTED"}})
    assert folded(paid, taken, given).status is Status.PAID
    failed = WOOVI.order({"event": "PIX_TRANSACTION_REFUND_SENT_REJECTED", **transactions})
    assert folded(paid, failed).status is Status.PAID


# -- The manual's bodies ------------------------------------------------------------------------------------------

EXPECTED = {
    "CHARGE_COMPLETED_rsa_vector__1": (Status.PAID, "10.00 BRL", "417bae21-3d08-4cdb-9c2d-fee63c89e9e4"),
    "OPENPIX_CHARGE_COMPLETED__boleto1": (Status.PAID, "100.00 BRL", "seu-id-de-correlacao"),
    "OPENPIX_CHARGE_EXPIRED__1": (Status.CANCELED, "0.01 BRL", "4bfa04e1-b807-4833-b714-dfa7c8877f29"),
    "OPENPIX_TRANSACTION_REFUND_RECEIVED__1": (Status.PAID, "1.51 BRL", "5e1f0740-4a18-4030-a5a7-686d3d8ec419"),
    "PIX_TRANSACTION_REFUND_SENT_CONFIRMED__1": (None, "100.01 BRL", "E31680151202508141543GVL7OCT44VU"),
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("woovi"):
        assert WOOVI.summary(path.read_bytes()) == EXPECTED[path.stem], path.stem
        if "REFUND" in path.stem:
            assert folded(WOOVI.order(path.read_bytes())).status is Status.REFUNDED
