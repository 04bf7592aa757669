"""Kiwify: HMAC-SHA1 in the query, orders and their events, cents, Brasília's times to the minute."""

import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Strength, Unreadable, Unverified
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived

TOKEN = "w9i3pvutvxe"  # as short as the panel's own (the manual's example)
KIWIFY = Source("kiwify")


def said(event: str, status: str | None = None, **fields: Any) -> OrderView:
    return KIWIFY.order({"order_id": "o-1", "order_status": status, "webhook_event_type": event, **fields})


def test_the_signature_is_the_hmac_of_the_exact_body() -> None:
    # Printed by: printf %s '{"order_id":"1","note":"ação / caf\u00e9"}' | openssl dgst -sha1 -hmac w9i3pvutvxe
    body = b'{"order_id":"1","note":"a\xc3\xa7\xc3\xa3o / caf\\u00e9"}'
    signature = hmac.new(TOKEN.encode(), body, "sha1").hexdigest()
    assert signature == "c6fcdf96f753861c390a7ed2e599d8108c7b855d"
    assert KIWIFY.verify(arrived(body, query={"signature": signature}), "old-token", TOKEN) == TOKEN
    assert KIWIFY.scheme.strength is Strength.MAC
    again = json.dumps(json.loads(body)).encode()  # another serialisation of the same thing
    for altered, shown in ((again, signature), (body + b" ", signature), (body, signature.upper()), (body, "")):
        KIWIFY.refuse(arrived(altered, query={"signature": shown}), TOKEN)
    in_a_header = arrived(body, {"signature": signature})
    assert KIWIFY.refuse(in_a_header, TOKEN) == Unverified.MISSING


def test_a_webhook_without_a_token_proves_nothing() -> None:
    signature = hmac.new(b"", b"{}", "sha1").hexdigest()
    for secrets in ([], [""]):
        assert KIWIFY.refuse(arrived(b"{}", query={"signature": signature}), *secrets) == Unverified.NO_SECRET


@pytest.mark.parametrize(
    ("event", "word", "status"),
    [
        ("billet_created", "waiting_payment", Status.PENDING),
        ("pix_created", "waiting_payment", Status.PENDING),
        ("order_approved", "paid", Status.PAID),
        ("order_rejected", "refused", Status.FAILED),
        ("order_refunded", "refunded", Status.REFUNDED),
        ("chargeback", "chargedback", Status.REFUNDED),
        ("chargeback", "paid", Status.REFUNDED),
        ("subscription_renewed", "paid", Status.PAID),
        ("subscription_late", "refused", Status.OVERDUE),
        ("subscription_canceled", "refused", Status.FAILED),
        ("subscription_canceled", "paid", Status.PAID),
        ("order_approved", None, Status.PAID),
        ("order_approved", "something_new", UNKNOWN),  # a word nobody knows never becomes paid
    ],
)
def test_statuses(event: str, word: str | None, status: object) -> None:
    order = said(event, word)
    assert (order.status, order.source_status) == (status, word)


def test_an_order_may_come_wrapped() -> None:
    inside = {"order_id": "o-1", "order_status": "paid", "webhook_event_type": "order_approved"}
    order = KIWIFY.order({"url": "https://registry.example.com", "signature": "x", "order": inside})
    assert (order.external_id, order.status) == ("o-1", Status.PAID)
    with pytest.raises(Ignored):
        KIWIFY.orders({"order": {"id": "c", "status": "abandoned"}})


def test_the_value_is_what_the_buyer_was_charged() -> None:
    shares = {
        "charge_amount": 500,
        "product_base_price": 470,
        "my_commission": 100,
        "currency": "BRL",
        "commissioned_stores": [{"type": "coproducer", "value": "100"}],
    }
    order = said("order_approved", Commissions=shares, Product={"product_name": "Curso"})
    assert order.items
    assert (order.value, str(order.items[0].unit_value)) == ("5.00 BRL", "4.70")
    assert said("order_approved", Commissions={"my_commission": 100}).value is None
    assert said("order_approved", Commissions={"charge_amount": None, "product_base_price": 470}).value == "4.70 BRL"
    assert said("order_approved", Commissions=None).value is None
    assert said("order_approved", Commissions={"charge_amount": 5000, "currency": "CLP"}).value == "5000 CLP"
    assert said("order_approved", Commissions={"charge_amount": "5000"}).value == "50.00 BRL"


def test_times_are_brasilias() -> None:
    order = said(
        "order_approved", created_at="2026-11-20 10:00", updated_at="2026-11-20 10:01", approved_date="2026-11-20 10:01"
    )
    assert order.at == order.paid_at == datetime(2026, 11, 20, 13, 1, tzinfo=UTC)
    assert order.ordered_at == datetime(2026, 11, 20, 13, 0, tzinfo=UTC)


def test_the_customer() -> None:
    person = said("order_approved", Customer={"full_name": "Ana", "CPF": "52998224725", "cnpj": None}).customer
    company = said("order_approved", Customer={"cnpj": "11222333000181", "mobile": "+5511900000001"}).customer
    assert person and company
    assert (person.name, person.documents) == ("Ana", ("52998224725",))
    assert (company.phones, company.documents) == (("+5511900000001",), ("11222333000181",))
    assert said("order_approved", Customer=None).customer is None  # what an affiliate is shown


def test_a_test_send_is_told_by_both_its_names() -> None:
    product, buyer = {"product_name": "Example product"}, {"email": "johndoe@example.com"}
    assert said("order_approved", Product=product, Customer=buyer).test is True
    assert said("order_approved", Product=product, Customer={"email": "ana@example.com"}).test is None
    assert said("order_approved", Product={"product_name": "Curso"}, Customer=buyer).test is None


def test_a_cart_names_no_event() -> None:
    cart = {"id": "c-1", "status": "abandoned", "name": "Ana", "email": "ana.souza@example.com"}
    assert KIWIFY.kind(cart) == "carrinho_abandonado"
    with pytest.raises(Ignored):
        KIWIFY.orders(cart)


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        None,
        {"status": "paid"},
        {"webhook_event_type": "order_approved"},
        {"webhook_event_type": "order_approved", "order_id": ""},
        {"webhook_event_type": "order_approved", "order_id": "1", "Commissions": {"charge_amount": 19.5}},
        {
            "webhook_event_type": "order_approved",
            "order_id": "1",
            "Commissions": {"charge_amount": 1, "currency": "R$"},
        },
    ],
)
def test_what_cannot_be_read(document: object) -> None:
    with pytest.raises(Unreadable):
        KIWIFY.orders(document)


EXPECTED = {
    "abandoned_cart__1": None,
    "billet_created__1": (Status.PENDING, "18.40 BRL", "ce936450-f853-4f66-9c72-03964fa436ea"),
    "pix_created__1": (Status.PENDING, "67.72 BRL", "d233a1b5-aa46-4fc4-bae9-8058d2c85634"),
}


def test_captured_bodies(payloads: Payloads) -> None:
    for path in payloads("kiwify"):
        assert KIWIFY.summary(path.read_bytes()) == EXPECTED[path.stem], path.stem
        if EXPECTED[path.stem] is not None:
            order = KIWIFY.order(path.read_bytes())
            assert (order.test, order.at) == (True, datetime(2026, 6, 8, 18, 42, tzinfo=UTC))
