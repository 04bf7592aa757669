"""What tests are shown of an order must tell apart what adapters tell apart."""

from adapters.contract import Money, Order, Payment, PaymentState, Refund, RefundState
from tests.reading import OrderView

TEN = Money(1000, "BRL")


def test_money_that_has_not_moved_says_so() -> None:
    refunds = (
        Refund(id="r1", value=TEN),
        Refund(id="r2", value=TEN, state=RefundState.PENDING),
        Refund(id="r3", state=RefundState.FAILED),
        Refund(value=TEN, total=True),
    )
    payments = (Payment(id="p1", value=TEN, state=PaymentState.TAKEN), Payment(id="p2", value=TEN))
    view = OrderView(Order(external_id="1", at=None, refunds=refunds, payments=payments))
    assert view.refunds == {"r1": "10.00 BRL", "r2": "10.00 BRL pending", "r3": "failed", "total": "10.00 BRL"}
    assert view.payments == {"p1": "10.00 BRL taken", "p2": "10.00 BRL"}
