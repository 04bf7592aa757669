"""Eduzz: HMAC of the webhook v3, invoices by their events; postback v2 with its token, JSON or form."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Strength, Unreadable
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived

SECRET = "a-made-up-key-of-the-developer-hub"
EDUZZ, V2 = Source("eduzz"), Source("eduzz", version="v2")
FORM = {"content-type": "application/x-www-form-urlencoded"}


def said(event: str, **fields: Any) -> OrderView:
    document = {"id": "w-1", "event": event, "sentDate": "2026-11-20T13:00:06.500Z", "data": {"id": "i-1", **fields}}
    return EDUZZ.order(document)


def postback(**fields: Any) -> OrderView:
    return EDUZZ.order({"type": "invoice", "trans_cod": "1", "trans_status": "3", **fields})


def test_the_signature_is_the_hmac_of_the_exact_body() -> None:
    body = b'{"id":"w-1","event":"ping","data":{"message":"ping"}}'
    # printf %s '{"id":"w-1",…}' | openssl dgst -sha256 -hmac a-made-up-key-of-the-developer-hub
    signature = "bbbed5de17dd64966a3d52a40247dfb94b44cb8351956114a006080ebcc4738b"
    assert EDUZZ.verify(arrived(body, {"x-signature": signature}), "old-key", SECRET) == SECRET
    assert EDUZZ.scheme.strength is Strength.MAC
    for altered, headers in (
        (body + b"\n", {"x-signature": signature}),
        (body, {"x-signature": signature.upper()}),
        (body, {"x-signature": f"sha256={signature}"}),
        (body, {}),
    ):
        EDUZZ.refuse(arrived(altered, headers), SECRET)


def test_postback_v2_shows_a_token_and_only_who_says_so_takes_it() -> None:
    as_json = arrived({"origin_secret": SECRET, "trans_cod": "1"})
    as_form = arrived(urlencode({"origin_secret": SECRET, "trans_cod": "1"}).encode(), FORM)
    for delivery in (as_json, as_form):
        assert V2.verify(delivery, "old", SECRET) == SECRET
        V2.refuse(delivery, "another")
        EDUZZ.refuse(delivery, SECRET)
    assert V2.scheme.strength is Strength.TOKEN
    for body in (b"{}", b"[]", b"", b'{"api_key": "x"}'):
        V2.refuse(body, SECRET)
    signed = V2.sign(arrived(b"origin_secret=&trans_cod=1", FORM), SECRET)
    assert V2.verify(signed, SECRET) == SECRET


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("opened", Status.PENDING),
        ("waiting_payment", Status.PENDING),
        ("scheduled", Status.PENDING),
        ("recovering", Status.PENDING),
        ("processing", Status.PENDING),
        ("negotiated", Status.PENDING),
        ("paid", Status.PAID),
        ("waiting_refund", Status.PAID),  # asked for, not given back
        ("overdue", Status.OVERDUE),
        ("refused", Status.FAILED),
        ("canceled", Status.CANCELED),
        ("expired", Status.CANCELED),
        ("refunded", Status.REFUNDED),
        ("chargeback", Status.REFUNDED),
    ],
)
def test_the_event_is_the_status(event: str, status: Status) -> None:
    order = said(f"myeduzz.invoice_{event}", status="their word")
    assert (order.status, order.source_status) == (status, "their word")
    assert said(f"myeduzz.invoice_{event}").source_status == f"invoice_{event}"


def test_the_value_is_the_invoices_price() -> None:
    price, paid = {"currency": "BRL", "value": 249.9}, {"currency": "BRL", "value": 261.35}
    assert said("myeduzz.invoice_paid", price=price, paid=paid).value == "249.90 BRL"
    assert said("myeduzz.invoice_paid", price=None, paid=paid).value == "261.35 BRL"
    assert said("myeduzz.invoice_paid", price={"value": 5}).value == "5.00 BRL"
    assert said("myeduzz.invoice_opened", price=price, paid=None).value
    assert said("myeduzz.invoice_opened").value is None
    assert said("myeduzz.invoice_paid", price={"currency": "USD", "value": "0.1"}).value == "0.10 USD"


def test_an_invoice() -> None:
    order = said(
        "myeduzz.invoice_paid",
        id="90000001",
        createdAt="2026-11-20T13:00:00.000Z",
        paidAt="2026-11-20T13:00:05.000Z",
        items=[{"name": "Curso", "price": {"value": 199.9}, "skuReference": "C-1"}, {"name": "Apostila"}, {"name": ""}],
        buyer={
            "id": "7",
            "document": "52998224725",
            "cellphone": "+5511900000001",
            "phone": "+5511900000001",
            "phone2": "",
        },
        student={"email": "someone.else@example.com"},
        affiliate={"email": "affiliate@example.com"},
    )
    assert order.title == "#90000001 · Curso +1"
    assert order.at == datetime(2026, 11, 20, 13, 0, 6, 500000, tzinfo=UTC)
    assert order.paid_at == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    assert order.customer and order.items
    assert (order.customer.id, order.customer.phones, order.customer.emails) == ("7", ("+5511900000001",), ())
    assert [(item.title, item.sku) for item in order.items] == [("Curso", "C-1"), ("Apostila", None)]
    assert said("myeduzz.invoice_paid", id="a-uuid", items=[{"name": "Curso"}]).title == "Curso"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("1", Status.PENDING),
        ("3", Status.PAID),
        (3, Status.PAID),
        ("4", Status.CANCELED),
        ("6", Status.PAID),
        ("7", Status.REFUNDED),
        ("9", Status.CANCELED),
        ("10", Status.CANCELED),
        ("11", Status.PENDING),
        ("15", Status.OVERDUE),
        ("2", UNKNOWN),
    ],
)
def test_statuses_of_postback_v2(word: object, status: object) -> None:
    order = postback(trans_status=word)
    assert (order.status, order.source_status) == (status, str(word))


def test_postback_v2() -> None:
    sale = {
        "trans_value": "249.90",
        "trans_paid": "261.35",
        "trans_currency": "BRL",
        "trans_createdate": "20261120",
        "trans_createtime": "10:00:00",
        "trans_paiddate": "20261120",
        "trans_paidtime": "10:00:05",
        "cop_value": "100",
        "cus_cel": "11900000001",
        "cus_tel": "11900000001",
    }
    order = postback(**sale)
    assert order.value == "249.90 BRL"
    assert order.ordered_at == datetime(2026, 11, 20, 13, 0, 0, tzinfo=UTC)
    assert order.at is None
    assert order.paid_at == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    assert postback(**sale, **{"trans_status": "7", "refund_type": "parcial"}).status is Status.PAID
    assert postback(trans_paiddate="20261120", trans_paidtime="").paid_at == datetime(2026, 11, 20, 3, tzinfo=UTC)
    assert order.customer
    assert order.customer.phones == ("11900000001",)
    assert postback(cus_email="webhook@eduzz.com").test is True
    assert order.test is None


def test_a_form_reads_like_json() -> None:
    sale = {
        "trans_cod": "1",
        "trans_status": "3",
        "trans_value": "50",
        "trans_items[0][item_name]": "x",
        "type": "invoice",
    }
    order = EDUZZ.order(arrived(urlencode(sale).encode(), FORM))
    assert order == postback(trans_value="50")


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"event": "ping", "data": {"message": "ping"}}, "ping"),
        ({"event": "sun.cart_abandonment"}, "sun.cart_abandonment"),
        ({"event": "myeduzz.contract_created"}, "myeduzz.contract_created"),
        ({"event": "myeduzz.commission_processed"}, "myeduzz.commission_processed"),
        ({"event": "nutror.lesson_watched"}, "nutror.lesson_watched"),
        ({"type": "abandonment", "identifier": "1"}, "abandonment"),
        ({"type": "contract"}, "contract"),
    ],
)
def test_what_is_no_order_is_ignored(document: dict[str, Any], kind: str) -> None:
    delivery = arrived(document)
    assert EDUZZ.kind(delivery) == kind
    with pytest.raises(Ignored):
        EDUZZ.orders(delivery)


def test_a_postback_that_names_its_event_and_has_no_date_of_payment() -> None:
    document = {
        "event": "invoice_open",
        "trans_cod": 1,
        "trans_status": 1,
        "trans_value": 30,
        "trans_paiddate": "0000-00-00",
    }
    order = EDUZZ.order(document)
    assert (order.external_id, order.status, order.paid_at) == ("1", Status.PENDING, None)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"event": "myeduzz.invoice_paid"},
        {"event": "myeduzz.invoice_paid", "data": {"id": ""}},
        {"event": "myeduzz.invoice_paid", "data": {"id": "1", "items": [None]}},
        {"event": "myeduzz.invoice_paid", "data": {"id": "1", "price": {"value": "free"}}},
        {"trans_cod": "1"},
    ],
)
def test_what_cannot_be_read(document: object) -> None:
    with pytest.raises(Unreadable):
        EDUZZ.orders(document)


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("eduzz"):
        try:
            order = EDUZZ.order(path.read_bytes())
        except Ignored:
            assert path.stem == "legacy_v2_abandonment__2"
        else:
            assert path.stem == "legacy_v2_invoice_test__1"
            assert (order.external_id, order.status, order.value, order.test) == ("1", Status.PAID, "50.00 BRL", True)
