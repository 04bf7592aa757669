"""Paystack: HMAC-SHA512 with the API's own key, transactions, refunds, disputes, payment requests and invoices."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Unreadable, Unverified
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded

PAYSTACK = Source("paystack")
PAID_AT, CREATED = "2026-11-20T13:00:05.000Z", "2026-11-20T13:00:00.000Z"


def said(event: str, data: object, source: Source = PAYSTACK) -> OrderView:
    return source.order({"event": event, "data": data})


def transaction(**fields: Any) -> dict[str, Any]:
    known = {"reference": "ref1", "status": "success", "amount": 3980000, "currency": "NGN", "paid_at": PAID_AT}
    return {**known, "created_at": CREATED, **fields}


def refund(**fields: Any) -> dict[str, Any]:
    known = {"status": "processed", "transaction_reference": "ref1", "refund_reference": "r1", "amount": "995000"}
    return {**known, "currency": "NGN", **fields}


def dispute(**fields: Any) -> dict[str, Any]:
    known = {"id": 1, "status": "resolved", "resolution": "merchant-accepted", "refund_amount": 3980000}
    return {
        **known,
        "currency": "NGN",
        "updated_at": "2026-11-26T12:00:00.000Z",
        "transaction": transaction(),
        **fields,
    }


def invoice(**fields: Any) -> dict[str, Any]:
    return {
        "invoice_code": "INV_1",
        "status": "pending",
        "amount": 3980000,
        "paid": False,
        "created_at": CREATED,
        **fields,
    }


def test_the_manuals_construction() -> None:
    """HMAC-SHA512 of the raw body with the API's secret key; none is published, so this value was computed apart."""
    body, key = b'{"event":"charge.success","data":{"id":1}}', "sk_test_made_up"
    shown = (
        "4f6e51638d727dff799d2a36369a1322d561f553cde67c5a9d01e6e96dd21844"
        "575d4021e2795f4a85af13cd5668be72d9a63c586beca79e72ec3a70e65340f0"
    )
    assert PAYSTACK.verify(arrived(body, x_paystack_signature=shown), "sk_old", key) == key
    # The manual's own JavaScript hashes what it had parsed and written again: other bytes are another body.
    for other in (body.replace(b":", b": "), body + b"\n"):
        assert PAYSTACK.refuse(arrived(other, x_paystack_signature=shown), key) == Unverified.MISMATCH


@pytest.mark.parametrize(
    ("word", "status"),
    [("success", Status.PAID), ("pending", Status.PENDING), ("failed", Status.FAILED), ("something_new", UNKNOWN)],
)
def test_statuses(word: str, status: object) -> None:
    order = said("charge.success", transaction(status=word))
    assert order.status is status
    assert (order.paid_at is not None) is (status is Status.PAID)


@pytest.mark.parametrize(("currency", "text"), [("NGN", "39800.00"), ("XOF", "39800"), ("RWF", "39800")])
def test_amounts_are_hundredths_of_every_currency(currency: str, text: str) -> None:
    assert said("charge.success", transaction(amount=3980000, currency=currency)).value == f"{text} {currency}"


@pytest.mark.parametrize("customer", [7, "7", {"id": 7}])
def test_a_customer_may_be_a_number(customer: object) -> None:
    found = said("charge.success", transaction(customer=customer)).customer
    assert found
    assert found.id == "7"


def test_times_and_their_other_spelling() -> None:
    order = said("charge.success", transaction(paid_at=None, paidAt=PAID_AT, created_at=None, createdAt=CREATED))
    assert order.paid_at == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    assert order.at is None, "refunds have no time, so no statement has"
    assert order.ordered_at == datetime(2026, 11, 20, 13, tzinfo=UTC)


@pytest.mark.parametrize("metadata", [0, None, "", [], "{}", {"cart": 1}])
def test_metadata_comes_in_every_shape(metadata: object) -> None:
    order = said("charge.success", transaction(metadata=metadata))
    assert (order.deal_id, order.customer) == (None, None)


def test_the_buyer() -> None:
    buyer = {"id": 7, "customer_code": "CUS_1", "first_name": "Ana", "last_name": None, "email": "ana@example.com"}
    order = said("charge.success", transaction(customer=buyer, metadata={"crm_contact_id": 42, "deal_id": "7"}))
    assert order.customer
    assert (order.customer.id, order.customer.name, order.customer.crm_id, order.deal_id) == ("7", "Ana", "42", "7")
    phones = {"phone": "08000000000", "international_format_phone": "+2348000000000"}
    order = said("charge.success", transaction(customer={**buyer, **phones}))
    assert order.customer
    assert order.customer.phones == ("+2348000000000",)


@pytest.mark.parametrize(("domain", "test"), [("test", True), ("live", False), (None, None)])
def test_test_orders(domain: str | None, test: bool | None) -> None:
    assert said("charge.success", transaction(domain=domain)).test is test


@pytest.mark.parametrize("amount", [995000, "995000"])
def test_a_processed_refund(amount: object) -> None:
    order = said("refund.processed", refund(amount=amount))
    assert (order.external_id, order.refunds, order.at, order.status) == (
        "ref1",
        {"r1": "9950.00 NGN"},
        None,
        Status.PAID,
    )


@pytest.mark.parametrize(
    ("event", "refunds"),
    [("refund.pending", {}), ("refund.processing", {}), ("refund.failed", {None: "9950.00 NGN failed"})],
)
def test_a_refund_that_is_not_done_says_that_it_was_paid(event: str, refunds: dict[str | None, str]) -> None:
    order = said(event, refund(refund_reference=None))
    assert (order.external_id, order.refunds, order.status) == ("ref1", refunds, Status.PAID)


def test_a_refund_may_name_no_currency() -> None:
    told = refund(currency=None, status="processed")
    assert said("refund.processed", told, Source("paystack", currency="NGN")).refunds == {"r1": "9950.00 NGN"}
    order = folded(said("charge.success", transaction()), said("refund.processed", told))
    assert (order.status, order.refunded_value, order.notes) == (Status.PAID, 0, ("refund_without_amount",))
    with pytest.raises(Unreadable, match="option"):
        said("charge.success", transaction(currency=None))
    assert said("charge.success", transaction(currency=None), Source("paystack", currency="NGN")).value


@pytest.mark.parametrize(
    ("event", "fields", "refunds"),
    [
        ("charge.dispute.create", {"resolution": None}, {}),
        ("charge.dispute.remind", {"resolution": None}, {}),
        ("charge.dispute.resolve", {"resolution": "declined"}, {}),
        ("charge.dispute.resolve", {}, {None: "39800.00 NGN"}),
        ("charge.dispute.resolve", {"refund_amount": None}, {None: "39800.00 NGN"}),
        ("charge.dispute.resolve", {"refund_amount": 995000}, {None: "9950.00 NGN"}),
        ("charge.dispute.resolve", {"resolution": "auto-accepted"}, {None: "39800.00 NGN"}),
        ("charge.dispute.resolve", {"resolution": "something_new"}, {}),
        ("charge.dispute.create", {}, {}),  # accepted counts when it is resolved
    ],
)
def test_disputes(event: str, fields: dict[str, object], refunds: dict[str | None, str]) -> None:
    order = said(event, dispute(**fields))
    assert (order.external_id, order.status, order.refunds) == ("ref1", Status.PAID, refunds)
    all_of_it = refunds.get(None) == order.value
    assert folded(order).status == (Status.REFUNDED if all_of_it else Status.PAID)


@pytest.mark.parametrize("reference", ["r1", None])
def test_a_dispute_and_its_refund_are_the_same_money(reference: str | None) -> None:
    accepted = said("charge.dispute.resolve", dispute(refund_amount=995000))
    back = said("refund.processed", refund(refund_reference=reference))
    for told in ((accepted, back), (back, accepted)):
        order = folded(said("charge.success", transaction()), *told)
        assert (order.status, order.refunded_value) == (Status.PAID, 995000)


def test_payment_requests() -> None:
    known = {"request_code": "PRQ_1", "amount": 3980000, "currency": "NGN", "customer": 7, "created_at": CREATED}
    pending = said("paymentrequest.pending", {**known, "status": "pending", "offline_reference": "33"})
    assert (pending.external_id, pending.aliases, pending.status) == ("PRQ_1", ("33",), Status.PENDING)
    assert pending.customer
    assert pending.customer.id == "7"
    paid = said("paymentrequest.success", {**known, "status": "success", "paid_at": PAID_AT})
    assert (paid.status, paid.paid_at) == (Status.PAID, datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC))


def test_an_invoice_goes_by_its_transaction_once_there_is_one() -> None:
    waiting = said("invoice.create", invoice(transaction={}))
    assert (waiting.external_id, waiting.preference, waiting.value) == ("INV_1", 1, None)
    charged = {"reference": "ref1", "currency": "GHS"}
    paid = said("invoice.update", invoice(status="success", paid=True, paid_at=PAID_AT, transaction=charged))
    assert (paid.external_id, paid.aliases, paid.status) == ("ref1", ("INV_1",), Status.PAID)
    assert paid.value == "39800.00 GHS"


@pytest.mark.parametrize(
    ("event", "word", "paid", "status"),
    [
        ("invoice.create", "pending", False, Status.PENDING),
        ("invoice.create", "success", True, Status.PAID),
        ("invoice.update", "success", False, Status.PENDING),
        ("invoice.payment_failed", "pending", False, Status.OVERDUE),
        ("invoice.payment_failed", "something_new", False, UNKNOWN),
    ],
)
def test_invoice_statuses(event: str, word: str, paid: bool, status: object) -> None:
    assert said(event, invoice(status=word, paid=paid)).status is status


def test_an_invoices_currency_is_an_option() -> None:
    order = said("invoice.payment_failed", invoice(), Source("paystack", currency="NGN"))
    assert order.value == "39800.00 NGN"
    assert order.at is None  # it says when it was made, not when it failed


@pytest.mark.parametrize(
    "event", ["transfer.success", "subscription.create", "customeridentification.failed", "refund.needs-attention"]
)
def test_what_is_no_order_is_ignored(event: str) -> None:
    with pytest.raises(Ignored):
        said(event, transaction())


@pytest.mark.parametrize("data", [None, [], {}, transaction(amount="a lot"), transaction(currency="Naira")])
def test_what_lacks_the_needed_is_unreadable(data: object) -> None:
    with pytest.raises(Unreadable):
        said("charge.success", data)


EXPECTED = {
    "charge-dispute-create__1": (Status.PAID, "58.00 NGN", "v3mjfgbnc19v97x"),
    "invoice-failed__1": (Status.OVERDUE, None, "INV_3kfmqw48ca7b48k"),
    "payment-request-pending__1": (Status.PENDING, "100000.00 NGN", "PRQ_y0paeo93jh99mho"),
    "refund-failed__1": (Status.PAID, None, "T9171231_412325_3be2736c_n6tml"),
    "refund-processed__1": (Status.PAID, None, "T2154954_412829_3be32076_6lcg3"),
    "transaction-successful__1": (Status.PAID, "100.00 NGN", "qTPrJoy9Bx"),
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("paystack"):
        assert PAYSTACK.summary(path.read_bytes()) == EXPECTED[path.stem], path.stem
