"""Yampi: its signature over PHP's own JSON, statuses that shops may name, and times with their zone beside them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import UNKNOWN, Ignored, Status
from tests.reading import OrderView, Source, arrived, folded

YAMPI = Source("yampi")


def moment(text: str, zone: str = "America/Sao_Paulo") -> dict[str, Any]:
    return {"date": text, "timezone_type": 3, "timezone": zone}


def said(event: str = "order.status.updated", alias: object = "paid", **fields: Any) -> OrderView:
    resource = {
        "id": 71,
        "number": 1001,
        "value_total": 408.9,
        "created_at": moment("2026-11-20 10:00:00.000000"),
        "updated_at": moment("2026-11-20 10:00:06.000000"),
        "status": {"data": {"alias": alias}},
        **fields,
    }
    return YAMPI.order({"event": event, "time": "2026-11-20 10:00:09", "resource": resource})


def test_signature_is_over_what_php_wrote() -> None:
    """PHP escapes slashes and all that is not ASCII. No vector is published; computed with `openssl dgst -hmac`."""
    body = b'{"event":"order.paid","url":"https:\\/\\/shop.example.com","name":"Jo\\u00e3o"}'
    mac = "Oo6uUYjKFS6oa36PH3KKnxXjDL9SwOgLmtb+Vg6TIyE="
    delivery = YAMPI.sign(body, "wh_made_up_secret")
    assert delivery.headers == {"x-yampi-hmac-sha256": mac}
    again = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()
    assert again != body
    YAMPI.refuse(arrived(again, **delivery.headers), "wh_made_up_secret")


@pytest.mark.parametrize(
    ("event", "alias", "status"),
    [
        ("order.created", "waiting_payment", Status.PENDING),
        ("order.created", None, Status.PENDING),
        ("order.created", "authorized", Status.PENDING),
        ("order.created", "reservado_na_loja", Status.PENDING),
        ("order.paid", "paid", Status.PAID),
        ("order.paid", "waiting_payment", Status.PAID),
        ("order.paid", "separado_na_loja", Status.PAID),
        ("order.paid", None, Status.PAID),
        ("order.paid", "cancelled", Status.PAID),
        ("order.status.updated", "handling_products", Status.PAID),
        ("order.status.updated", "shipment_exception", Status.PAID),
        ("order.status.updated", "delivered", Status.PAID),
        ("order.status.updated", "refused", Status.FAILED),
        ("order.status.updated", "cancelled", Status.CANCELED),
        ("order.status.updated", "refunded", Status.REFUNDED),
        ("order.status.updated", "chargeback", Status.REFUNDED),
        ("order.status.updated", "separado_na_loja", Status.PENDING),
        ("order.status.updated", None, Status.PENDING),
        ("order.updated", "", Status.PENDING),
    ],
)
def test_status(event: str, alias: str | None, status: object) -> None:
    order = said(event, alias)
    assert (folded(order).status, order.source_status) == (status, alias or None)


def test_a_word_of_the_shops_own_is_said_to_be_unknown() -> None:
    assert said("order.status.updated", "separado_na_loja").status is UNKNOWN


def test_what_was_paid_and_then_canceled_without_a_refund_is_noted() -> None:
    order = folded(said("order.paid", "cancelled"))
    assert (order.status, order.notes) == (Status.PAID, ("canceled_unrefunded",))


@pytest.mark.parametrize(
    ("given", "at"),
    [
        (moment("2026-11-20 10:00:06.000000"), "2026-11-20T13:00:06"),
        (moment("2026-11-20 13:00:06.000000", "UTC"), "2026-11-20T13:00:06"),
        ("2026-11-20 10:00:06", "2026-11-20T13:00:06"),
        ("2026-11-20T10:00:06-03:00", "2026-11-20T13:00:06"),
        (None, "2026-11-20T13:00:09"),  # the body's own time
        ("", "2026-11-20T13:00:09"),
    ],
)
def test_times(given: object, at: str) -> None:
    assert said(updated_at=given).at == datetime.fromisoformat(at).replace(tzinfo=UTC)


@pytest.mark.parametrize("given", [moment("x"), {"date": 5}, {"date": 5, "timezone": "UTC"}, [7], 5])
def test_times_that_are_none_are_left_out(given: object) -> None:
    order = said(updated_at=given)
    assert order.notes == ("field_left_out",)
    assert order.at == said(updated_at=None).at


def test_money_is_exact() -> None:
    assert said(value_total=408.9).value == "408.90 BRL"
    assert said(value_total="1234567.89").value == "1234567.89 BRL"
    assert said(buyer_value_total=999).value == "408.90 BRL"


def test_paid_at_is_the_capture_or_the_event_of_it() -> None:
    captured = {"data": [{"captured_at": None}, {"captured_at": moment("2026-11-20 10:00:05.000000")}]}
    assert said(transactions=captured).paid_at == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    assert said("order.paid").paid_at == datetime(2026, 11, 20, 13, 0, 9, tzinfo=UTC)
    assert said(transactions={"data": []}).paid_at is None
    late = said(alias="waiting_payment", transactions=captured)  # the money decides, not the word
    assert (folded(late).status, late.paid_at) == (Status.PAID, datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC))


def test_metadata_may_name_the_crms_ids() -> None:
    notes = [{"key": "crm_contact_id", "value": "42"}, {"key": "deal_id", "value": True}, {"key": None}, {"value": "x"}]
    order = said(metadata={"data": notes}, customer={"data": {"id": 9}})
    assert order.customer is not None
    assert (order.customer.crm_id, order.deal_id) == ("42", None)
    assert said(customer=[]).customer is None


def test_a_company_and_a_number_in_parts() -> None:
    buyer = {"id": 9, "name": None, "razao_social": "Exemplo Ltda", "phone": {"area_code": "11", "number": "900000001"}}
    customer = said(customer={"data": buyer}).customer
    assert customer is not None
    assert (customer.name, customer.phones) == ("Exemplo Ltda", ("11900000001",))


@pytest.mark.parametrize("event", ["cart.reminder", "transaction.payment.refused", "order.invoice.created"])
def test_what_is_no_order(event: str) -> None:
    with pytest.raises(Ignored):
        said(event)
