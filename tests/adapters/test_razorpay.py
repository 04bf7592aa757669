"""Razorpay: the published signature, and one order told by payments, invoices, links, refunds and disputes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status, Unreadable
from tests.outside import Payloads
from tests.reading import OrderView, Source, arrived, folded

START = int(datetime(2026, 11, 20, 13, tzinfo=UTC).timestamp())
RAZORPAY = Source("razorpay")

# razorpay/razorpay-python, tests/test_client_utility.py and tests/mocks/fake_payment_authorized_webhook.json
VECTOR_BODY = (Path(__file__).parent / "vectors" / "razorpay_payment_authorized.json").read_bytes()
VECTOR = "d60e67fd884556c045e9be7dad57903e33efc7172c17c6e3ef77db42d2b366e9"


def said(event: str, *, at: int = START + 60, **entities: dict[str, Any]) -> OrderView:
    payload = {name: {"entity": entity} for name, entity in entities.items()}
    return RAZORPAY.order({"event": event, "payload": payload, "created_at": at})


def thing(name: str, status: str, amount: int = 398000, **fields: object) -> dict[str, Any]:
    return {"id": name, "status": status, "amount": amount, "currency": "INR", "created_at": START, **fields}


def payment(status: str = "captured", **fields: Any) -> dict[str, Any]:
    return thing(fields.pop("id", "pay_1"), status, **{"order_id": "order_1", **fields})


def test_published_vector() -> None:
    delivery = arrived(VECTOR_BODY, x_razorpay_signature=VECTOR)
    assert RAZORPAY.verify(delivery, "new secret", "key_secret") == "key_secret"
    for body, shown in ((VECTOR_BODY.strip(), VECTOR), (VECTOR_BODY, VECTOR.upper()), (VECTOR_BODY, "test_signature")):
        RAZORPAY.refuse(arrived(body, x_razorpay_signature=shown), "key_secret")


def test_delivery_id() -> None:
    assert RAZORPAY.delivery_id(arrived(b"{}", x_razorpay_event_id="e1")) == "e1"


@pytest.mark.parametrize(
    ("event", "word", "status"),
    [
        ("payment.authorized", "authorized", Status.PENDING),
        ("payment.authorized", "captured", Status.PAID),  # captured by the time it is told
        ("payment.captured", "captured", Status.PAID),
        ("payment.failed", "failed", Status.FAILED),
        ("refund.processed", "refunded", Status.REFUNDED),
        ("refund.created", "captured", Status.PAID),
        ("payment.captured", "something_new", UNKNOWN),
    ],
)
def test_payment_statuses(event: str, word: str, status: object) -> None:
    assert said(event, payment=payment(word)).status is status


@pytest.mark.parametrize(
    ("event", "word", "status"),
    [
        ("order.paid", "paid", Status.PAID),
        ("invoice.partially_paid", "partially_paid", Status.PARTIALLY_PAID),
        ("invoice.paid", "paid", Status.PAID),
        ("invoice.expired", "expired", Status.CANCELED),
        ("payment_link.partially_paid", "partially_paid", Status.PARTIALLY_PAID),
        ("payment_link.paid", "paid", Status.PAID),
        ("payment_link.cancelled", "cancelled", Status.CANCELED),
        ("payment_link.expired", "expired", Status.CANCELED),
        ("invoice.paid", "something_new", UNKNOWN),
    ],
)
def test_statuses_of_what_is_billed(event: str, word: str, status: object) -> None:
    order = said(event, **{event.partition(".")[0]: thing("bill_1", word)})
    assert (order.status, order.value) == (status, "3980.00 INR")


def test_everything_goes_by_the_order() -> None:
    names = [
        said("payment.captured", payment=payment()),
        said("order.paid", payment=payment(), order=thing("order_1", "paid")),
        said("order.paid", order=thing("order_1", "paid")),
        said("invoice.expired", invoice=thing("inv_1", "expired", order_id="order_1")),
        # The sample of payment_link.paid has the order's own id without its prefix.
        said("payment_link.paid", payment=payment(), order=thing("1", "paid"), payment_link=thing("plink_1", "paid")),
        said("refund.processed", payment=payment(), refund=thing("rfnd_1", "processed")),
    ]
    assert {(order.external_id, order.preference) for order in names} == {("order_1", 0)}
    alone = said("payment.captured", payment=payment(order_id=None))
    assert (alone.external_id, alone.preference) == ("pay_1", 1)
    link = said("payment_link.cancelled", payment_link=thing("plink_1", "cancelled"))
    assert (link.external_id, link.preference) == ("plink_1", 1)


def test_a_failure_that_is_told_late_takes_nothing_back() -> None:
    failed = said("payment.failed", payment=payment("failed", id="pay_0"), at=START + 900)
    paid = said("payment.captured", payment=payment(), at=START + 5)
    assert folded(failed, paid).status == Status.PAID
    waiting = said("payment.authorized", payment=payment("authorized"), at=START + 5)
    assert folded(failed, waiting).status == Status.PENDING


@pytest.mark.parametrize(
    ("fields", "alias"),
    [({"invoice_id": "inv_1"}, "inv_1"), ({"description": "#QflcnnZqCekuvL"}, "plink_QflcnnZqCekuvL")],
)
def test_a_payment_of_a_bill_may_be_a_part_of_it(fields: dict[str, str], alias: str) -> None:
    order = said("payment.captured", payment=payment(amount=1000, **fields))
    assert (order.title, order.external_id, order.payments) == (None, "order_1", {"pay_1": "10.00 INR taken"})
    assert alias in order.aliases
    bill = said("order.paid", payment=payment(amount=1000, **fields), order=thing("order_1", "attempted"))
    assert folded(order, bill).status == Status.PARTIALLY_PAID


@pytest.mark.parametrize("bearer", ["customer", None])
def test_a_fee_that_the_buyer_bears_is_no_part_of_the_sale(bearer: str | None) -> None:
    paid = payment(amount=400360, fee=2360, fee_bearer=bearer)
    order = said("order.paid", payment=paid, order=thing("order_1", "paid"))
    assert order.payments == {"pay_1": "3980.00 INR taken"}
    back = said(
        "refund.processed", payment=payment(amount=400360, fee=2360, fee_bearer="customer"), refund=thing("r", "x")
    )
    assert folded(order, back).status == Status.REFUNDED


def test_an_order_that_was_paid_twice_and_given_back_once_is_paid() -> None:
    told = [
        said("payment.captured", payment=payment()),
        said("order.paid", payment=payment(), order=thing("order_1", "paid")),
        said("payment.captured", payment=payment(id="pay_2"), at=START + 90),
        said(
            "refund.processed", payment=payment("refunded", id="pay_2"), refund=thing("r", "processed"), at=START + 99
        ),
    ]
    order = folded(*told)
    assert (order.status, order.value, order.refunded_value) == (Status.PAID, 398000, 0)


def test_a_links_event_happened_when_the_link_changed() -> None:
    order = said("payment_link.paid", at=START, payment_link=thing("plink_1", "paid", updated_at=START + 57))
    assert order.at == order.paid_at == datetime(2026, 11, 20, 13, 0, 57, tzinfo=UTC)


def test_a_link_that_lapsed_is_dated_when_it_did() -> None:
    lapsed = thing("plink_1", "expired", updated_at=START, cancelled_at=0, expired_at=START + 3600)
    assert said("payment_link.expired", payment_link=lapsed).at == datetime(2026, 11, 20, 14, tzinfo=UTC)


def test_refunds() -> None:
    refund = thing("rfnd_1", "processed", 99500)
    assert said("refund.processed", payment=payment(), refund=refund).refunds == {"rfnd_1": "995.00 INR"}
    assert said("refund.created", payment=payment(), refund=refund).refunds == {"rfnd_1": "995.00 INR"}
    pending = said("refund.created", payment=payment(), refund=thing("rfnd_1", "pending", 99500))
    assert pending.refunds == {"rfnd_1": "995.00 INR pending"}
    assert said("refund.failed", payment=payment(), refund=refund).refunds == {"rfnd_1": "995.00 INR failed"}
    assert pending.paid_at is None


def test_a_lost_dispute_gives_back_what_was_deducted() -> None:
    dispute = thing("disp_1", "lost", amount_deducted=100000)
    assert said("payment.dispute.lost", payment=payment(), dispute=dispute).refunds == {"disp_1": "1000.00 INR"}
    opened = said("payment.dispute.created", payment=payment(), dispute=thing("disp_1", "open", amount_deducted=0))
    assert opened.refunds == {"disp_1": "3980.00 INR pending"}
    won = said("payment.dispute.won", payment=payment(), dispute=thing("disp_1", "won", amount_deducted=0))
    assert won.refunds == {"disp_1": "3980.00 INR reversed"}


@pytest.mark.parametrize(
    ("currency", "value"), [("INR", "3980.00"), ("JPY", "398000"), ("KWD", "398.000"), ("inr", "3980.00")]
)
def test_money_is_in_the_smallest_unit(currency: str, value: str) -> None:
    assert said("payment.captured", payment=payment(currency=currency)).value == f"{value} {currency.upper()}"


def test_the_buyer() -> None:
    details = {"name": "Ana", "email": "ana@example.com", "contact": "9000000000", "id": "cust_1"}
    order = said(
        "invoice.paid",
        payment=payment(email="void@razorpay.com", contact="+919000000000", notes={"crm_contact_id": 42}),
        invoice=thing("inv_1", "paid", customer_details=details, notes=[]),
    )
    assert order.customer
    assert (order.customer.name, order.customer.id, order.customer.crm_id) == ("Ana", "cust_1", "42")
    assert order.customer.emails == ("ana@example.com",)  # Razorpay's stand-in for none is nobody's
    assert order.customer.phones == ("+919000000000", "9000000000")
    assert said("payment.captured", payment=payment(email="void@razorpay.com")).customer is None


@pytest.mark.parametrize("fields", [{}, {"invoice_id": "inv_1"}])
def test_a_charge_of_a_subscription_is_all_of_its_invoice(fields: dict[str, str]) -> None:
    order = said("subscription.charged", payment=payment(status="captured", order_id="order_1", **fields))
    assert (order.external_id, order.status) == ("order_1", Status.PAID)
    assert order.value
    assert folded(order).status == Status.PAID


@pytest.mark.parametrize(
    "event", ["subscription.activated", "payment.downtime.started", "qr_code.credited", "transfer.failed"]
)
def test_what_is_no_order_is_ignored(event: str) -> None:
    with pytest.raises(Ignored):
        said(event, payment=payment())


@pytest.mark.parametrize(
    "payload", [None, [], {}, {"payment": {"entity": None}}, {"payment": {"entity": {"id": "pay_1"}}}]
)
def test_what_lacks_the_needed_is_unreadable(payload: object) -> None:
    with pytest.raises(Unreadable):
        RAZORPAY.orders({"event": "payment.captured", "payload": payload})


EXPECTED = {
    "invoice.expired__1": (Status.CANCELED, "4790.30 INR", "order_DEWZrMr2yNJek4"),
    "invoice.paid__2": (Status.PAID, "4790.30 INR", "order_DEWJ5gDtAXLTbW"),
    "invoice.partially_paid__2": (Status.PARTIALLY_PAID, "4790.30 INR", "order_DEW1rvumj0vSXG"),
    "order.paid__2": (Status.PAID, "1.00 INR", "order_DESso0U9bpuzQc"),
    "payment.authorized__2": (Status.PENDING, "1.00 INR", "order_DESlLckIVRkHWj"),
    "payment.captured__1": (Status.PAID, "1.00 INR", "order_DESlLckIVRkHWj"),
    "payment.failed__1": (Status.FAILED, "500.00 INR", "order_DEATVTRRctwEGb"),
    "payment_link.cancelled__1": (Status.CANCELED, "10.00 INR", "plink_QaIrRSjWiIuxAO"),
    "payment_link.paid__1": (Status.PAID, "10.00 INR", "order_QflczVVaNJciLq"),
    "refund.failed__1": (Status.PAID, "5000.00 INR", "order_FPoIeimWki9j8A"),
}


def test_documented_bodies(payloads: Payloads) -> None:
    for path in payloads("razorpay"):
        assert RAZORPAY.summary(path.read_bytes()) == EXPECTED[path.stem], path.stem
