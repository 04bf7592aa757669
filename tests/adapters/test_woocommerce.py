"""WooCommerce: the ping, cash on delivery, refunds and their total, sub-orders, and the words that plugins add."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Unreadable
from tests import samples
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded

WOO = Source("woocommerce")


def said(document: object, kind: str = "order.updated") -> OrderView:
    return WOO.order(document, x_wc_webhook_topic=kind)


def sample(name: str) -> OrderView:
    return WOO.order(samples.sample("woocommerce", name).delivery)


def order(**fields: object) -> dict:
    return {
        "id": 727,
        "number": "727",
        "status": "processing",
        "currency": "BRL",
        "total": "100.00",
        "date_created_gmt": "2026-11-20T13:00:00",
        "date_modified_gmt": "2026-11-20T13:05:00",
        "date_paid_gmt": "2026-11-20T13:04:59",
        "customer_id": 12,
        "refunds": [],
        **fields,
    }


# -- Signature, headers, ping -------------------------------------------------------------------------------------


def test_signature_is_base64_of_the_raw_body() -> None:
    """No vector is published; this is what WC_Webhook::generate_signature computes."""
    body, secret = b'{"id":727}', "made-up secret with ç"
    mac = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    for secrets in ([secret], ["another", secret]):
        assert WOO.verify(arrived(body, x_wc_webhook_signature=mac), *secrets) == secret
    for wrong, sent in ((body + b"\n", mac), (body, mac.lower()), (body, mac + "="), (body, "")):
        WOO.refuse(arrived(wrong, x_wc_webhook_signature=sent), secret)


def test_the_delivery_id_is_not_believed() -> None:
    """It is a hash of webhook and second: two orders of one second share it."""
    assert WOO.delivery_id(arrived(b"{}", x_wc_webhook_delivery_id="d41d8cd98f00b204e9800998ecf8427e")) is None


@pytest.mark.parametrize(
    ("body", "headers", "greeting"),
    [
        (b"webhook_id=3", {"content_type": "application/x-www-form-urlencoded"}, True),
        (b"webhook_id=18446744073709551615", {}, True),
        (b"webhook_id=3", {"x_wc_webhook_signature": "x"}, False),  # whoever signs is judged by it
        (b"webhook_id=", {}, False),
        (b"webhook_id=3&id=727", {}, False),
        (b"webhook_id=3\n", {}, False),
        (b'{"webhook_id":3}', {}, False),
        (b"", {}, False),
        (b"webhook_id=" + b"9" * 1000, {}, False),
    ],
)
def test_the_ping_of_a_new_webhook(body: bytes, headers: dict, greeting: bool) -> None:
    assert (WOO.greeting(arrived(body, **headers)) is not None) is greeting


# -- Status and times ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "paid", "status"),
    [
        ("pending", False, Status.PENDING),
        ("on-hold", False, Status.PENDING),
        ("processing", True, Status.PAID),
        ("processing", False, Status.PENDING),  # cash on delivery
        ("completed", True, Status.PAID),
        ("completed", False, Status.PAID),
        ("cancelled", False, Status.CANCELED),
        ("cancelled", True, Status.CANCELED),
        ("refunded", True, Status.REFUNDED),
        ("failed", False, Status.FAILED),
        ("trash", True, Status.CANCELED),
        ("partial-payment", True, Status.PARTIALLY_PAID),
        ("partially-paid", False, Status.PARTIALLY_PAID),
        ("pending-deposit", False, Status.PENDING),
        ("wc-completed", True, Status.PAID),
        ("wc-processing", False, Status.PENDING),
        ("shipped", True, UNKNOWN),
        ("Processing", True, UNKNOWN),
        ("", True, None),
        (None, True, None),
    ],
)
def test_status(word: str | None, paid: bool, status: object) -> None:
    read = said(order(status=word, date_paid_gmt="2026-11-20T13:04:59" if paid else None))
    assert read.status is status
    assert read.source_status == (word or None)


@pytest.mark.parametrize(
    ("word", "paid", "status"),
    [
        ("shipped", True, "paid"),  # a plugin's word: the money decides
        ("shipped", False, "pending"),
        ("on-hold", True, "paid"),  # it was taken; a later word does not take it back
        ("failed", True, "paid"),
        ("cancelled", True, "paid"),
        ("cancelled", False, "canceled"),
        ("partially-paid", True, "partially_paid"),  # the date is that of the deposit
        ("processing", False, "pending"),
        ("", True, "paid"),
    ],
)
def test_what_was_taken_decides(word: str, paid: bool, status: str) -> None:
    result = folded(said(order(status=word, date_paid_gmt="2026-11-20T13:04:59" if paid else None)))
    assert (result.status, result.value, result.paid_value) == (status, 10000, 10000 if status == "paid" else 0)
    assert ("canceled_unrefunded" in result.notes) is (word in ("cancelled", "failed") and paid)


@pytest.mark.parametrize("word", ["shipped", "wc-shipped"])
def test_a_word_that_the_shop_taught(word: str) -> None:
    document = order(status=word, date_paid_gmt=None)
    for options in ({"statuses": {"shipped": "paid"}}, {"statuses.shipped": "paid"}):
        assert Source("woocommerce", **options).order(document, x_wc_webhook_topic="order.updated").status == "paid"
    assert said(document).status is UNKNOWN


@pytest.mark.parametrize("word", ["checkout-draft", "auto-draft", "draft", "new"])
@pytest.mark.parametrize("kind", ["order.created", "order.updated", "order.restored"])
def test_drafts_are_carts(word: str, kind: str) -> None:
    with pytest.raises(Ignored, match="cart"):
        said(order(status=word), kind)


def test_times_are_utc() -> None:
    read = said(order(date_modified="2026-11-20T10:05:00", date_created="2026-11-20T10:00:00"))
    assert read.at == datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
    assert read.ordered_at == datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
    assert read.paid_at == datetime(2026, 11, 20, 13, 4, 59, tzinfo=UTC)


def test_a_time_of_the_sites_own_zone_is_not_taken_for_utc() -> None:
    """Version 1 of the API has no other: it was paid, nobody says when."""
    local = {
        "date_created": "2026-11-20T10:00:00",
        "date_modified": "2026-11-20T10:05:00",
        "date_paid": "2026-11-20T10:04:59",
    }
    read = said({"id": 727, "status": "processing", "currency": "BRL", "total": "100.00", **local})
    assert (read.status, read.at, read.ordered_at, read.paid_at) == (Status.PAID, None, None, None)


def test_a_deletion_has_no_time() -> None:
    read = said({"id": 727}, "order.deleted")
    assert (read.external_id, read.status, read.at) == ("727", Status.CANCELED, None)
    assert said(order(), "order.restored").at is None  # what ends a deletion is placed as it is


@pytest.mark.parametrize("zero", ["0000-00-00T00:00:00", "-0001-11-30T00:00:00", "0001-01-01T00:00:00", "soon", ""])
@pytest.mark.parametrize("field", ["date_paid_gmt", "date_paid", "date_created_gmt", "date_modified_gmt"])
def test_a_date_that_cannot_be_is_left_out(field: str, zero: str) -> None:
    read = said(order(**{"status": "pending", "date_paid_gmt": None, field: zero}))
    assert (read.status, read.value, read.payments) == (Status.PENDING, "100.00 BRL", {})
    assert bool(read.notes) is (zero in ("0001-01-01T00:00:00", "soon"))


# -- Money --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "currency", "text"),
    [
        ("100.00", "BRL", "100.00"),
        ("100", "BRL", "100.00"),
        ("2.000", "KWD", "2.000"),
        ("12.345", "KWD", "12.345"),
        ("1500.00", "JPY", "1500"),  # the shop's number of decimals, whatever the currency
        ("99.995", "BRL", "100.00"),
    ],
)
def test_value(total: str, currency: str, text: str) -> None:
    assert said(order(total=total, currency=currency)).value == f"{text} {currency}"


@pytest.mark.parametrize(
    ("refunds", "told"),
    [
        ([], {"total": "0.00 BRL"}),  # also: the one there was has been deleted
        ([{"id": 1, "total": "-16.20"}], {"1": "16.20 BRL", "total": "16.20 BRL"}),
        (
            [{"id": 1, "total": "-16.20"}, {"id": 2, "total": "-3.80"}],
            {"1": "16.20 BRL", "2": "3.80 BRL", "total": "20.00 BRL"},
        ),
        ([{"id": 1, "total": "16.20"}], {"1": "16.20 BRL", "total": "16.20 BRL"}),
        ([{"id": 1}, {"id": 2, "total": "-3.80"}], {"1": "", "2": "3.80 BRL"}),  # then nobody knows the sum
        (None, {}),
    ],
)
def test_refunds_have_ids_and_a_total(refunds: list | None, told: dict) -> None:
    assert said(order(refunds=refunds)).refunds == told


def test_a_refund_without_its_amount_is_noted() -> None:
    result = folded(said(order(refunds=[{"id": 1, "reason": "x"}])))
    assert (result.status, result.value, result.refunded_value) == ("paid", 10000, 0)
    assert result.notes == ("refund_without_amount",)


@pytest.mark.parametrize("reverse", [False, True])
def test_refunds_of_one_second(reverse: bool) -> None:
    one, two = {"id": 3, "total": "-50.00"}, {"id": 4, "total": "-30.00"}
    told = [said(order(refunds=[one])), said(order(refunds=[one, two]))]
    assert folded(*(reversed(told) if reverse else told)).refunded_value == 8000


def test_a_refund_that_was_deleted_is_none() -> None:
    one, two = {"id": 3, "total": "-50.00"}, {"id": 4, "total": "-30.00"}
    told = [
        said(order(refunds=refunds, date_modified_gmt=f"2026-11-2{day}T10:00:00"))
        for day, refunds in enumerate([[one], [one, two], [two], []])
    ]
    assert [folded(*told[: day + 1]).refunded_value for day in range(4)] == [5000, 8000, 3000, 0]


def test_an_order_set_to_refunded_by_hand() -> None:
    assert folded(said(order(status="refunded"))).status == "refunded"


# -- Marketplaces -------------------------------------------------------------------------------------------------


def part(number: int, total: str, **fields: object) -> OrderView:
    return said(order(id=number, number=str(number), parent_id=727, total=total, created_via="dokan", **fields))


def test_sub_orders_are_parts_of_their_parent() -> None:
    parent, one, two = said(order(total="302.50")), part(431, "15.00"), part(432, "287.50")
    for told in ([parent, one, two], [two, one, parent]):
        result = folded(*told)
        assert (result.external_id, result.value, result.paid_value, result.status) == ("727", 30250, 30250, "paid")
    assert (folded(one, two).value, folded(one, two).status) == (30250, "paid")  # the parent was not told
    assert (one.title, one.items) == (None, None)


def test_a_refund_of_a_sub_order_is_one_of_the_sale() -> None:
    parent = said(order(total="302.50", meta_data=[{"key": "has_sub_order", "value": "1"}]))
    back = part(431, "15.00", status="refunded", refunds=[{"id": 500, "total": "-15.00"}])
    later = said(
        order(
            total="302.50", meta_data=[{"key": "has_sub_order", "value": "1"}], date_modified_gmt="2026-11-21T10:00:00"
        )
    )
    result = folded(parent, part(431, "15.00"), part(432, "287.50"), back, later)
    assert (result.status, result.value, result.refunded_value) == ("paid", 30250, 1500)


@pytest.mark.parametrize(
    ("fields", "whose"),
    [
        ({"created_via": "yith_wcmv_vendor_suborder"}, "428"),
        ({"meta_data": [{"key": "_dokan_vendor_id", "value": "19"}]}, "428"),
        ({"meta_data": [{"key": "multivendorx_store_id", "value": 19}]}, "428"),
        ({"created_via": "checkout"}, "727"),  # the balance after a deposit is money of its own
        ({"created_via": "dokan", "parent_id": 0}, "727"),  # of one vendor alone
    ],
)
def test_whose_part_an_order_is(fields: dict, whose: str) -> None:
    assert said(order(**{"parent_id": 428, **fields})).external_id == whose


@pytest.mark.parametrize(
    ("line", "with_tax", "unit"),
    [
        ({"quantity": 2, "subtotal": "50.00", "total": "30.00", "price": 15}, False, "25.00"),  # before the coupon
        ({"quantity": 3, "subtotal": "10.00"}, False, "3.33"),
        ({"quantity": 2, "subtotal": "50.00", "subtotal_tax": "10.00"}, False, "25.00"),
        ({"quantity": 2, "subtotal": "50.00", "subtotal_tax": "10.00"}, True, "30.00"),
        ({"quantity": "0.5", "subtotal": "50.00"}, False, "100.00"),
        ({"quantity": 0, "subtotal": "50.00"}, False, "None"),
        ({"quantity": 2}, False, "None"),
        ({"subtotal": "50.00"}, False, "50.00"),
    ],
)
def test_what_one_costs(line: dict, with_tax: bool, unit: str) -> None:
    items = said(order(line_items=[{"name": "Mug", **line}], prices_include_tax=with_tax)).items
    assert items
    assert str(items[0].unit_value) == unit


# -- Contact, title, items ----------------------------------------------------------------------------------------


def test_contact_with_the_fields_of_brazilian_market() -> None:
    customer = sample("paid").customer
    assert customer
    assert (customer.name, customer.id) == ("Ana Souza", "12")
    assert customer.emails == ("ana.souza@example.com",)
    assert customer.phones == ("+5511900000001", "+5511900000002")
    assert customer.documents == ("52998224725",)
    company = sample("company").customer
    assert company
    assert (company.name, company.documents) == ("Loja Exemplo Ltda", ("11222333000181",))


def test_phones_without_their_international_form() -> None:
    customer = said(
        order(billing={"phone": "(11) 90000-0001", "phone_e164": "", "cellphone": "(11) 90000-0002"})
    ).customer
    assert customer
    assert customer.phones == ("(11) 90000-0001", "(11) 90000-0002")


@pytest.mark.parametrize("nobody", [0, "0", "", None])
def test_a_guest_has_no_id(nobody: object) -> None:
    customer = said(order(customer_id=nobody, billing={"email": "bruno@example.org"})).customer
    assert customer
    assert customer.id is None
    assert said(order(customer_id=nobody, billing={"email": "", "phone": ""})).customer is None
    assert said(order(customer_id=nobody, billing=None)).customer is None


SHIPPING = {"first_name": "Bia", "last_name": "Alves", "phone": "+5511900000009", "country": "PT"}


@pytest.mark.parametrize(
    ("billing", "name", "phones", "country"),
    [
        (None, "Bia Alves", ("+5511900000009",), "PT"),
        ({"email": "bia@example.org"}, "Bia Alves", ("+5511900000009",), "PT"),
        ({"first_name": "Bia", "last_name": "Alves", "country": "BR"}, "Bia Alves", ("+5511900000009",), "PT"),
        ({"first_name": "Ana", "phone": ""}, "Ana", (), "PT"),  # Bia gets the parcel
        ({"company": "Loja Ltda", "phone": "+551130000000"}, "Loja Ltda", ("+551130000000",), "PT"),
    ],
)
def test_the_recipient_where_the_buyer_is_missing(billing: dict | None, name: str, phones: tuple, country: str) -> None:
    customer = said(order(billing=billing, shipping=SHIPPING)).customer
    assert customer
    assert (customer.name, customer.phones, customer.country) == (name, phones, country)


@pytest.mark.parametrize(
    ("meta", "crm_id", "deal_id"),
    [
        ([{"key": "crm_contact_id", "value": "42"}, {"key": "deal_id", "value": 7}], "42", "7"),
        ([{"key": "crm_contact_id", "value": ""}, {"key": "deal_id", "value": {"a": 1}}], None, None),
        ([{"key": "_other", "value": [1]}], None, None),
        (None, None, None),
    ],
)
def test_meta_data_names_the_crms_contact_and_deal(meta: list | None, crm_id: str, deal_id: str) -> None:
    read = said(order(meta_data=meta))
    assert read.customer
    assert (read.customer.crm_id, read.deal_id) == (crm_id, deal_id)


def test_names_are_html() -> None:
    lines = [{"name": "Running shoes &ndash; R&amp;B", "quantity": 1, "sku": ""}, {"name": None}]
    read = said(order(line_items=lines))
    assert read.title == "#727 · Running shoes – R&B"
    assert read.items
    assert [(item.title, item.sku) for item in read.items] == [("Running shoes – R&B", None), ("–", None)]
    assert said(order()).items is None


def test_addresses_with_a_key_in_them_are_not_told() -> None:
    assert sample("created_pending").url is None


# -- What is wrong, what is not ours ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"order": [order()]}, "id"),
        ({"code": "woocommerce_rest_cannot_view", "message": "…", "data": {"status": 401}}, r"may not read orders"),
        ({"code": "woocommerce_rest_shop_order_invalid_id", "message": "…", "data": {"status": 404}}, "was gone"),
        ({"code": "rest_no_route", "message": "…", "data": {"status": 404}}, r"its own error \(rest_no_route\)"),
        ({"code": "rest_forbidden", "message": "…"}, "may not read orders"),
        ({"code": "Sorry, <b>you</b>", "message": "…"}, "id"),
        ([], "the body"),
        (order(currency=""), "currency"),
        (order(currency="R$ "), "currency"),
        (order(total="NaN"), "total"),
        (order(total="1e999999999"), "total"),
        (order(total=None), "total"),
        (order(id=None), "id"),
    ],
)
def test_what_is_wrong_is_named(document: object, field: str) -> None:
    with pytest.raises(Unreadable, match=field):
        said(document)


@pytest.mark.parametrize(
    "field",
    [
        {"line_items": [{"quantity": "1e-999999999"}]},
        {"refunds": [{"id": 1, "total": "dear"}]},
        {"refunds": [{"id": "x", "total": "-5.00"}]},
        {"billing": {"phone": ["x"]}},
    ],
)
def test_what_an_order_can_be_without_is_left_out(field: dict) -> None:
    for document in (order(**field), {"order": order(**field)}):
        result = folded(said(document))
        assert (result.status, result.value) == ("paid", 10000)
        assert "field_left_out" in result.notes


@pytest.mark.parametrize(
    "kind", ["product.updated", "customer.created", "coupon.deleted", "action.anything", "order.made_up"]
)
def test_other_kinds_are_ignored(kind: str) -> None:
    with pytest.raises(Ignored):
        said({"id": 1}, kind)


def test_what_is_asked_for_is_read() -> None:
    assert set(WOO.adapter.topics) == set(WOO.adapter.reads)


# -- One order ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "status", "refunded"),
    [
        (["created_pending", "paid"], "paid", 0),
        (["created_pending", "paid", "refunded_partly"], "paid", 20950),
        (["paid", "refunded_partly", "refund_deleted"], "paid", 19900),
        (["paid", "refunded_partly", "refund_deleted", "refunded"], "refunded", 41790),
        (["created_pending", "cancelled"], "canceled", 0),
        (["created_pending", "failed", "paid"], "paid", 0),  # what was taken is not untaken by a later attempt
        (["created_pending", "paid", "cancelled"], "paid", 0),  # and was not given back
        (["created_pending", "paid", "deleted"], "paid", 0),
        (["created_pending", "deleted"], "canceled", 0),
        (["created_pending", "deleted", "restored"], "paid", 0),
        (["created_pending", "paid", "unknown_status"], "paid", 0),
    ],
)
def test_one_order(names: list[str], status: str, refunded: int) -> None:
    result = folded(*(sample(name) for name in names))
    assert (result.status, result.value, result.refunded_value) == (status, 41790, refunded)


# -- The platform's own bodies ------------------------------------------------------------------------------------

EXPECTED = {
    "order_rest__2": (Status.PAID, "31.20 USD", {}, "11"),
    "order_rest__3": (Status.REFUNDED, "223.71 USD", {"622": "223.71 USD", "total": "223.71 USD"}, "1"),
    "order_rest__9": (Status.PAID, "29.35 USD", {"total": "0.00 USD"}, None),
    "order_rest__10": (Status.PAID, "29.35 USD", {"total": "0.00 USD"}, None),
    "order_rest__11": (Status.PAID, "29.35 USD", {"total": "0.00 USD"}, None),
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("woocommerce"):
        document = json.loads(path.read_text(encoding="utf-8"))
        read = said(document.get("data", document))  # one of them is what a proxy of the API answers
        assert read.customer
        assert (read.status, read.value, read.refunds, read.customer.id) == EXPECTED[path.stem], path.stem
