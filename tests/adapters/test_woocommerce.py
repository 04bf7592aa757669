"""WooCommerce: the ping, cash on delivery, refunds as one total, and the words that plugins add."""

import base64
import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.contract import UNKNOWN, Delivery, Ignored, Order, Status, Unreadable, Unverified
from adapters.contract.fold import Entry, Folded, fold
from adapters.woocommerce import WooCommerce

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "adapters" / "samples" / "woocommerce"
# Bodies as the platform documents them, where the checkout has such a folder beside it; none of them is ours to keep.
PAYLOADS = sorted((ROOT.parent / "shared" / "payloads" / "woocommerce").glob("*.json"))
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WOO = WooCommerce()


def arrived(body: bytes, **headers: str) -> Delivery:
    return Delivery(
        body=body, headers={name.replace("_", "-"): text for name, text in headers.items()}, received_at=NOW
    )


def said(document: object, kind: str = "order.updated") -> Order:
    delivery = arrived(json.dumps(document).encode(), x_wc_webhook_topic=kind)
    [order] = WOO.translate(WOO.read(delivery, WOO.kind_of(delivery, None), None))
    return order


def sample(name: str) -> Order:
    kind = json.loads((SAMPLES / name / "headers.json").read_text())["kind"]
    delivery = arrived((SAMPLES / name / "body").read_bytes())
    [order] = WOO.translate(WOO.read(delivery, kind, None))
    return order


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
        assert WOO.signature.verify(arrived(body, x_wc_webhook_signature=mac), secrets, NOW) == secret
    for wrong, sent in ((body + b"\n", mac), (body, mac.lower()), (body, mac + "="), (body, "")):
        with pytest.raises(Unverified):
            WOO.signature.verify(arrived(wrong, x_wc_webhook_signature=sent), [secret], NOW)


def test_the_delivery_id_is_not_believed() -> None:
    """It is a hash of webhook and second: two orders of one second share it."""
    assert WOO.delivery_id_of(arrived(b"{}", x_wc_webhook_delivery_id="d41d8cd98f00b204e9800998ecf8427e"), None) is None


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
    assert (WOO.handshake(arrived(body, **headers)) is not None) is greeting


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
        ("partial-payment", True, UNKNOWN),
        ("Processing", True, UNKNOWN),
        ("", True, None),
        (None, True, None),
    ],
)
def test_status(word: str | None, paid: bool, status: object) -> None:
    read = said(order(status=word, date_paid_gmt="2026-11-20T13:04:59" if paid else None))
    assert read.status is status
    assert read.source_status == (word or None)


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
        (None, "BRL", "None"),
    ],
)
def test_value(total: str | None, currency: str, text: str) -> None:
    assert str(said(order(total=total, currency=currency)).value) == text


@pytest.mark.parametrize(
    ("refunds", "total"),
    [
        ([], "0.00"),  # also: the one there was has been deleted
        ([{"id": 1, "total": "-16.20"}], "16.20"),
        ([{"id": 1, "total": "-16.20"}, {"id": 2, "total": "-3.80"}], "20.00"),
        ([{"id": 1, "total": "16.20"}], "16.20"),
        (None, None),
    ],
)
def test_refunds_are_one_total(refunds: list | None, total: str | None) -> None:
    read = said(order(refunds=refunds))
    assert ({name: str(money) for name, money in read.refunds.items()} if read.refunds else None) == (
        {"total": total} if total else None
    )


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
        ({"code": "woocommerce_rest_cannot_view", "message": "…", "data": {"status": 401}}, "id"),
        ([], "the body"),
        (order(currency=""), "currency"),
        (order(currency="R$ "), "currency"),
        (order(total="NaN"), "total"),
        (order(total="1e999999999"), "total"),
        (order(refunds=[{"id": 1}]), "refunds.0.total"),
        (order(date_modified_gmt="yesterday"), "date_modified_gmt"),
        (order(line_items=[{"quantity": "1e-999999999"}]), "line_items.0.quantity"),
    ],
)
def test_what_is_wrong_is_named(document: object, field: str) -> None:
    with pytest.raises(Unreadable, match=field):
        said(document)


@pytest.mark.parametrize(
    "kind", ["product.updated", "customer.created", "coupon.deleted", "action.anything", "order.made_up"]
)
def test_other_kinds_are_ignored(kind: str) -> None:
    with pytest.raises(Ignored):
        said({"id": 1}, kind)


def test_what_is_asked_for_is_read() -> None:
    assert set(WOO.topics) == set(WOO.reads)


# -- One order ----------------------------------------------------------------------------------------------------


def entry(order: Order) -> Entry:
    """The order as a line of its history, as far as these tests look at it."""
    words: dict[str, object] = {"external_id": order.external_id, "title": order.title}
    if isinstance(order.status, Status):
        words["status"] = order.status
    if order.value:
        words |= {"value": order.value.minor, "currency": order.value.currency}
    if order.refunds:
        words["refunds"] = {name: [amount.minor, amount.currency] for name, amount in order.refunds.items()}
    return Entry(
        at=None if order.at is None else int(order.at.timestamp() * 1_000_000),
        digest=repr(order),
        recorded_at=2**60,  # what has no time of its own came last
        said={name: word for name, word in words.items() if word is not None},
    )


def folded(orders: list[Order]) -> Folded:
    """The fold, which must be the same for every order of arrival, and with everything twice."""
    results = [fold(entry(order) for order in arrival) for arrival in itertools.permutations(orders)]
    results.append(fold(entry(order) for order in orders + orders))
    assert all(result == results[0] for result in results)
    return results[0]


@pytest.mark.parametrize(
    ("names", "status", "refunded"),
    [
        (["created_pending", "paid"], "paid", 0),
        (["created_pending", "paid", "refunded_partly"], "paid", 20950),
        (["paid", "refunded_partly", "refund_deleted"], "paid", 19900),
        (["paid", "refunded_partly", "refund_deleted", "refunded"], "refunded", 41790),
        (["created_pending", "cancelled"], "canceled", 0),
        (["created_pending", "failed", "paid"], "failed", 0),  # a later attempt failed: the shop's own last word
        (["created_pending", "paid", "deleted"], "canceled", 0),
        (["created_pending", "paid", "unknown_status"], "paid", 0),
    ],
)
def test_one_order(names: list[str], status: str, refunded: int) -> None:
    result = folded([sample(name) for name in names])
    assert (result.status, result.value, result.refunded_value) == (status, 41790, refunded)


# -- The platform's own bodies ------------------------------------------------------------------------------------

EXPECTED = {
    "order_rest__2": (Status.PAID, "31.20 USD", "0.00", "11"),
    "order_rest__3": (Status.REFUNDED, "223.71 USD", "223.71", "1"),
    "order_rest__9": (Status.PAID, "29.35 USD", "0.00", None),
    "order_rest__10": (Status.PAID, "29.35 USD", "0.00", None),
    "order_rest__11": (Status.PAID, "29.35 USD", "0.00", None),
}


def test_documented_bodies() -> None:
    """Every body that lies beside the checkout; where none does, there is nothing to compare with."""
    print(f"{len(PAYLOADS)} documented bodies found")
    for path in PAYLOADS:
        document = json.loads(path.read_text(encoding="utf-8"))
        read = said(document.get("data", document))  # one of them is what a proxy of the API answers
        assert read.value
        assert read.customer
        back = str(read.refunds["total"]) if read.refunds else "0.00"
        found = (read.status, f"{read.value} {read.value.currency}", back, read.customer.id)
        assert found == EXPECTED.get(path.stem, found), path.stem
