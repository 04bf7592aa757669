"""Shopify: the published signatures, status and times, contact and items, and one order out of everything that is said of it."""

import json
from datetime import UTC, datetime

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Unreadable
from tests.adapters.shopify import SHOPIFY, order, refund, said, sample, transaction
from tests.outside import Payloads
from tests.reading import arrived, folded

# -- Signature and headers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["x_shopify_hmac_sha256", "shopify_hmac_sha256"])
@pytest.mark.parametrize(
    ("secret", "body", "mac"),
    [
        # Shopify/shopify-api-js, packages/shopify-api/lib/webhooks/__tests__/validate.test.ts
        ("test_secret_key", b'{"foo": "bar"}', "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g="),
        # Shopify/shopify_app, test/shopify_app/controller_concerns/webhook_verification_test.rb
        ("secret", b"foo=anything", "yCGX/RrK4fcuNtr3ztk5tQGsOBjcAzHpGLdMUrbV8yI="),
        ("old_secret", b"foo=anything", "XqRcjrSv57VACn6apEO9znyu/wkN1VC7QxdSPwK3Hzs="),
    ],
)
def test_published_vectors(header: str, secret: str, body: bytes, mac: str) -> None:
    """After a rotation Shopify signs with the old secret for up to an hour: both are tried."""
    for secrets in ([secret], ["another", secret], [secret, "another"]):
        assert SHOPIFY.verify(arrived(body, **{header: mac}), *secrets) == secret
    for wrong, sent in ((body + b" ", mac), (body, mac.lower()), (body, mac[:-1]), (body, "")):
        SHOPIFY.refuse(arrived(wrong, **{header: sent}), secret)
    SHOPIFY.refuse(arrived(body, **{header: mac}), "another")


@pytest.mark.parametrize("family", ["x_shopify_", "shopify_"])
def test_both_families_of_headers(family: str) -> None:
    headers = {"topic": "orders/delete", "webhook_id": "w-1", "event_id": "e-1", "triggered_at": "2026-11-24T12:00:00Z"}
    delivery = arrived(b'{"id": 1}', **{family + name: text for name, text in headers.items()})
    assert SHOPIFY.kind(delivery) == "orders/delete"
    assert SHOPIFY.delivery_id(delivery) == "w-1"
    assert SHOPIFY.order(delivery).at == datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_one_action_of_the_merchant_is_several_deliveries() -> None:
    """They share the event's id; each has its own webhook id, and both must be read."""
    ids = {
        SHOPIFY.delivery_id(arrived(b"{}", x_shopify_event_id="e-1", x_shopify_webhook_id=webhook))
        for webhook in ("w-1", "w-2")
    }
    assert ids == {"w-1", "w-2"}
    assert SHOPIFY.delivery_id(arrived(b"{}", x_shopify_event_id="e-1")) is None


# -- Status and times ---------------------------------------------------------------------------------------------

MADE, CHANGED = datetime(2026, 11, 20, 13, 0, tzinfo=UTC), datetime(2026, 11, 20, 13, 0, 1, tzinfo=UTC)
IMPORTED = datetime(2019, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "word", "cancelled", "status"),
    [
        ("orders/updated", "pending", False, Status.PENDING),
        ("orders/updated", "authorized", False, Status.PENDING),
        ("orders/updated", "partially_paid", False, Status.PARTIALLY_PAID),
        ("orders/updated", "paid", False, Status.PAID),
        ("orders/updated", "partially_refunded", False, Status.PAID),
        ("orders/updated", "refunded", False, Status.REFUNDED),
        ("orders/updated", "voided", False, Status.CANCELED),
        ("orders/updated", "expired", False, Status.CANCELED),
        ("orders/updated", "pending", True, Status.CANCELED),
        ("orders/updated", "paid", True, Status.CANCELED),
        ("orders/cancelled", "paid", True, Status.CANCELED),
        ("orders/cancelled", "partially_refunded", True, Status.CANCELED),
        ("orders/cancelled", "refunded", True, Status.REFUNDED),
        ("orders/cancelled", "paid", False, Status.PAID),  # the body says that it is not, and is what is signed
        ("orders/paid", "voided", True, Status.CANCELED),  # as in the test notification
        ("orders/paid", None, False, Status.PAID),
        ("orders/updated", None, False, None),
        ("orders/updated", "", False, None),
        ("orders/paid", "PAID", False, UNKNOWN),
        ("orders/create", "in_review", False, UNKNOWN),
    ],
)
def test_status(kind: str, word: str | None, cancelled: bool, status: object) -> None:
    read = said(kind, order(financial_status=word, cancelled_at="2026-11-20T10:00:01-03:00" if cancelled else None))
    assert read.status is status
    assert read.source_status == (word or None)


def test_a_body_that_leaves_out_whether_it_is_cancelled_is_what_its_topic_says() -> None:
    assert said("orders/cancelled", {"id": 1, "financial_status": "paid"}).status is Status.CANCELED


@pytest.mark.parametrize(
    ("kind", "fields", "paid_at"),
    [
        ("orders/paid", {}, CHANGED),
        ("orders/create", {}, MADE),
        ("orders/create", {"processed_at": "2019-01-02T03:04:05Z"}, IMPORTED),
        ("orders/create", {"financial_status": "pending"}, None),
        ("orders/create", {"financial_status": "authorized"}, None),
        ("orders/paid", {"financial_status": "voided"}, None),
        ("orders/paid", {"financial_status": "partially_refunded"}, None),
        ("orders/paid", {"cancelled_at": "2026-11-20T10:00:01-03:00"}, CHANGED),
        ("orders/paid", {"updated_at": None}, None),
        ("orders/updated", {}, None),
        ("orders/fulfilled", {}, None),
    ],
)
def test_when_it_was_paid(kind: str, fields: dict, paid_at: datetime | None) -> None:
    read = said(kind, order(**fields))
    assert [payment.at for payment in read.order.payments if payment.state == "taken"] in ([paid_at], [])
    assert bool(read.payments) is (read.source_status not in ("pending", "voided"))


def test_when_it_was_ordered_and_said() -> None:
    read = said("orders/updated", order())
    assert (read.ordered_at, read.at) == (MADE, CHANGED)
    assert said("orders/updated", order(processed_at="2019-01-02T03:04:05Z")).ordered_at == IMPORTED


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-24T12:00:00.987654321Z", datetime(2026, 11, 24, 12, 0, 0, 987654, tzinfo=UTC)),
        ("2026-11-24T09:00:00-03:00", datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_deletion_is_dated_by_its_header(text: str | None, at: datetime | None) -> None:
    headers = {} if text is None else {"x_shopify_triggered_at": text}
    deleted = said("orders/delete", {"id": 820982911946154508}, **headers)
    assert (deleted.external_id, deleted.status, deleted.at) == ("820982911946154508", Status.CANCELED, at)


def test_a_body_without_its_time_is_dated_by_the_header() -> None:
    triggered = {"x_shopify_triggered_at": "2026-11-24T12:00:00Z"}
    assert said("orders/updated", order(updated_at=None), **triggered).at == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert said("orders/updated", order(), **triggered).at == CHANGED


def test_statements_of_one_second_stand_by_their_trigger_time() -> None:
    first = said("orders/updated", order(total_price="60.00"), x_shopify_triggered_at="2026-11-20T13:00:02.1Z")
    then = said("orders/updated", order(total_price="100.00"), x_shopify_triggered_at="2026-11-20T13:00:02.09Z")
    assert first.sequence == "2026-11-20T13:00:02.100000000"
    for told in ([first, then], [then, first]):
        assert folded(*told).value == 6000


# -- What cannot be read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "document", "field"),
    [
        ("orders/create", order(id=None), "id"),
        ("orders/create", [], "the body"),
        ("orders/create", order(currency=None), "currency"),
        ("orders/create", order(currency="real"), "currency"),
        ("orders/create", order(total_price="R$ 100"), "total_price"),
        ("orders/create", order(total_price="NaN"), "total_price"),
        ("orders/create", order(total_price="1e999999999"), "total_price"),
        ("orders/create", {"order": order()}, "id"),  # what the API answers, not what a webhook sends
        ("refunds/create", {"id": 7}, "order_id"),
        ("disputes/update", {"id": 7}, "amount"),
        ("orders/delete", {}, "id"),
    ],
)
def test_what_is_wrong_is_named(kind: str, document: object, field: str) -> None:
    with pytest.raises(Unreadable, match=field):
        said(kind, document)


@pytest.mark.parametrize(
    "field",
    [
        {"updated_at": "yesterday"},
        {"processed_at": "0001-01-01T00:00:00Z"},
        {"line_items": [None]},
        {"line_items": [{"title": "x", "quantity": "1e-999999999"}]},
        {"refunds": [{"id": ["x"], "transactions": []}]},
        {"refunds": [refund(transaction("dear"))]},
    ],
)
def test_what_an_order_can_be_without_is_left_out(field: dict) -> None:
    read = said("orders/create", order(**field))
    assert (read.status, read.value, read.ordered_at) == (Status.PAID, "100.00 BRL", MADE)
    assert read.notes == ("field_left_out",)


# -- Contact, title, items ----------------------------------------------------------------------------------------


def test_contact() -> None:
    customer = said(
        "orders/create",
        order(
            email="order@example.com",
            contact_email="order@example.com",
            phone="+5511900000002",
            customer={
                "id": 6900000000001,
                "first_name": " Ana ",
                "last_name": "Souza",
                "email": "ana@example.com",
                "phone": None,
                "default_address": {"name": "A. Souza", "phone": "+5511900000003"},
            },
            billing_address={"name": "Ana S. Souza", "phone": "+5511900000001"},
            shipping_address={"name": "Bia Alves", "phone": "+5511900000009"},  # may be somebody else's
        ),
    ).customer
    assert customer
    assert (customer.name, customer.id) == ("Ana Souza", "6900000000001")
    assert customer.emails == ("ana@example.com", "order@example.com")
    assert customer.phones == ("+5511900000002", "+5511900000001", "+5511900000003")
    assert customer.documents == ()
    assert customer.country is None


@pytest.mark.parametrize(
    ("fields", "name", "phones", "country"),
    [
        ({"shipping_address": {"name": "Bia Alves", "phone": "+1", "country_code": "US"}}, "Bia Alves", ("+1",), "US"),
        (
            {
                "billing_address": {"name": "Ana", "country_code": "BR"},
                "shipping_address": {"name": "Bia", "phone": "+1"},
            },
            "Ana",
            (),
            "BR",
        ),
    ],
)
def test_the_recipient_where_the_buyer_is_missing(fields: dict, name: str, phones: tuple, country: str) -> None:
    customer = said("orders/create", order(**fields)).customer
    assert customer
    assert (customer.name, customer.phones, customer.country) == (name, phones, country)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (
            {"billing_address": {"name": "Ana Souza"}, "customer": {"id": 1, "first_name": "", "last_name": None}},
            "Ana Souza",
        ),
        ({"customer": {"id": 1, "first_name": None, "default_address": {"name": "Ana Souza"}}}, "Ana Souza"),
        ({"customer": {"id": 1}}, None),
    ],
)
def test_name(fields: dict, name: str | None) -> None:
    customer = said("orders/create", order(**fields)).customer
    assert customer
    assert customer.name == name


def test_a_guest_who_left_nothing_is_nobody() -> None:
    assert said("orders/create", order(customer=None, email="", phone=None, billing_address=None)).customer is None


@pytest.mark.parametrize(
    ("notes", "crm_id", "deal_id"),
    [
        ([{"name": "crm_contact_id", "value": "42"}, {"name": "deal_id", "value": 7}], "42", "7"),
        ([{"name": "crm_contact_id", "value": " "}, {"name": "deal_id", "value": None}], None, None),
        ([{"name": "crm_contact_id", "value": True}, {"name": "deal_id", "value": ["7"]}], None, None),
        ([{"name": "colour", "value": "green"}], None, None),
        (None, None, None),
    ],
)
def test_note_attributes_name_the_crms_contact_and_deal(notes: list | None, crm_id: str, deal_id: str) -> None:
    read = said("orders/create", order(note_attributes=notes, email="ana@example.com"))
    assert read.customer
    assert (read.customer.crm_id, read.deal_id) == (crm_id, deal_id)


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"line_items": [{"title": "Running shoes", "name": "Running shoes - 42"}]}, "#1001 · Running shoes"),
        ({"line_items": [{"title": "Running shoes"}, {"title": "Socks"}]}, "#1001 · Running shoes +1"),
        ({"line_items": [{"title": None, "name": "Running shoes - 42"}]}, "#1001 · Running shoes - 42"),
        ({"line_items": []}, "#1001"),
        ({"name": None, "order_number": 1001}, "#1001"),
        ({"name": None}, None),
    ],
)
def test_title(fields: dict, title: str | None) -> None:
    assert said("orders/create", order(**fields)).title == title


def test_items() -> None:
    lines = [
        {"title": "Running shoes", "quantity": 2, "price": "199.00", "sku": "RS-1", "total_discount": "20.00"},
        {"title": None, "quantity": None, "price": None, "sku": ""},
    ]
    items = said("orders/create", order(line_items=lines)).items
    assert items
    assert [(item.title, item.quantity, str(item.unit_value), item.sku) for item in items] == [
        ("Running shoes", 2, "199.00", "RS-1"),
        ("–", 1, "None", None),
    ]
    assert said("orders/create", order(line_items=[])).items == ()
    assert said("orders/create", order()).items is None


@pytest.mark.parametrize(
    ("fields", "headers", "test"),
    [
        ({"test": False}, {}, False),
        ({"test": True}, {}, True),
        ({"test": False}, {"x_shopify_test": "true"}, False),  # which no signature covers
        ({}, {"x_shopify_test": "true"}, None),
        ({"test": False}, {"x_shopify_test": "false"}, False),
        ({}, {}, None),
    ],
)
def test_test_orders(fields: dict, headers: dict, test: bool | None) -> None:
    assert said("orders/create", order(**fields), **headers).test is test


def test_the_buyers_page_is_not_told() -> None:
    assert sample("created_pending").url is None


# -- Kinds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "orders/edited",
        "orders/risk_assessment_changed",
        "order_transactions/create",
        "tender_transactions/create",
        "draft_orders/create",
        "carts/update",
        "checkouts/create",
        "products/update",
        "customers/redact",
        "customers/data_request",
        "shop/redact",
        "app/uninstalled",
        "Order",
    ],
)
def test_other_kinds_are_ignored(kind: str) -> None:
    with pytest.raises(Ignored):
        said(kind, {"id": 1})


def test_a_delivery_without_topic_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="x-shopify-topic"):
        SHOPIFY.kind(b"{}")


def test_what_is_asked_for_is_read() -> None:
    """What is read beyond it comes along with orders/updated, or has nothing to say yet."""
    assert set(SHOPIFY.adapter.topics) < set(SHOPIFY.adapter.reads)
    more = set(SHOPIFY.adapter.reads) - set(SHOPIFY.adapter.topics)
    assert more == {"orders/fulfilled", "orders/partially_fulfilled", "disputes/create"}


# -- One order ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "status", "value", "refunded"),
    [
        (["created_pending", "paid", "fulfilled"], "paid", 41790, 0),
        (["created_pending", "paid", "refunded_partly", "refund_created"], "paid", 41790, 19900),
        (["paid", "refund_created", "refunded_partly", "refunded"], "refunded", 41790, 41790),
        (["created_pending", "cancelled_unpaid"], "canceled", 41790, 0),
        (["created_pending", "paid", "cancelled_refunded"], "refunded", 41790, 41790),
        (["created_pending", "paid", "deleted"], "paid", 41790, 0),  # nothing went back
        (["created_pending", "deleted"], "canceled", 41790, 0),
        (["created_pending", "deleted_untimed"], "canceled", 41790, 0),
        (["refunded", "paid", "deleted"], "refunded", 41790, 41790),
        (["created_pending", "unknown_status", "trimmed"], "paid", 41790, 0),
        (["created_pending", "paid", "edited_down_before_payment"], "paid", 21890, 0),
        (["created_paid", "dispute_lost"], "refunded", 28850, 28850),
        (["other_currency", "other_currency_refunded_partly"], "paid", 50000, 16665),
    ],
)
def test_one_order(names: list[str], status: str, value: int, refunded: int) -> None:
    result = folded(*(sample(name) for name in names))
    assert (result.status, result.value, result.refunded_value) == (status, value, refunded)


# -- The platform's own bodies ------------------------------------------------------------------------------------

EXPECTED = {
    "checkouts_create": None,
    "disputes_create": (None, {"dispute:285332461850802050": "11.50 CAD pending"}, None),
    "order_transactions_create": None,
    "orders_cancelled": (Status.CANCELED, "404.95 USD", True),
    "orders_create": (Status.CANCELED, "404.95 USD", True),
    "orders_delete": (Status.CANCELED, {}, None),
    "orders_edited": None,
    "orders_paid": (Status.CANCELED, "404.95 USD", True),
    "orders_rest__1": (Status.PENDING, "409.94 USD", False),
    "orders_updated": (Status.CANCELED, "404.95 USD", True),
    "refunds_create": (None, {"890088186047892400": "85.00 USD"}, None),
    "refunds_rest__1": (None, {"509562969": "209.00 USD"}, None),
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("shopify"):
        kind = "/".join(path.stem.removesuffix("__1").rsplit("_", 1))
        document = json.loads(path.read_text(encoding="utf-8"))
        if kind.endswith("/rest"):  # what the API answers has a root key
            kind = kind.replace("/rest", "/create")
            [document] = document.values()
        try:
            read = said(kind, document)
        except Ignored:
            assert EXPECTED[path.stem] is None, path.stem
        else:
            assert (read.status, read.value or read.refunds, read.test) == EXPECTED[path.stem], path.stem
