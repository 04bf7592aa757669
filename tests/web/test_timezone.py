"""The account's time zone: its months, and every time or date that names none."""

import pytest

from tests.house import House, order_event
from tests.web.transfer import counts, send, send_text

pytestmark = pytest.mark.anyio

ZONE = "America/Sao_Paulo"  # three hours behind UTC
LATE = "2026-12-01T02:30:00Z"  # still November there
ORDER = {"contact": "42", "title": "Shoes", "value": "10.00"}


@pytest.fixture
async def there(house: House) -> House:
    """An account in São Paulo, with a contact."""
    assert (await house.get("/v1/account"))["timezone"] == "UTC"
    changed = await house.call("PATCH", "/v1/account", {"timezone": ZONE})
    assert (changed.status_code, changed.json()["timezone"]) == (200, ZONE)
    await house.call("PUT", "/v1/contacts/42", {"name": "Ana"})
    return house


async def ordered(house: House, at: str) -> str:
    made = await house.call("POST", "/v1/orders", ORDER | {"ordered_at": at})
    assert made.status_code == 201, made.text
    return str(made.json()["ordered_at"])


async def test_an_orders_times_are_the_accounts_where_they_name_no_zone(there: House) -> None:
    assert await ordered(there, "2026-11-30T23:30:00") == LATE
    assert await ordered(there, "2026-11-30") == "2026-11-30T03:00:00Z"
    assert await ordered(there, "2026-12-01T02:30:00Z") == LATE
    (order, *_) = await there.data("/v1/orders")
    edited = await there.call("PATCH", f"/v1/orders/{order['id']}", {"paid_at": "2026-12-02T00:00"})
    assert edited.json()["paid_at"] == "2026-12-02T03:00:00Z"


async def test_lists_take_dates_of_the_account(there: House) -> None:
    await ordered(there, LATE)
    for query, many in (
        ("since=2026-11-30&until=2026-12-01", 1),
        ("since=2026-12-01", 0),
        ("until=2026-12-01T02:30:01Z", 1),
    ):
        assert len(await there.data(f"/v1/orders?{query}")) == many, query
        assert len(await there.data(f"/v1/contacts/42/orders?{query}")) == many, query
    await there.deliver(await there.source(), order_event("1"))
    (row,) = await there.data("/v1/deliveries")
    local = f"{row['received_at'][:13]}:59:59"  # by UTC's clock: three hours later there
    assert await there.data(f"/v1/deliveries?since={local}") == []
    assert len(await there.data(f"/v1/deliveries?until={local}")) == 1
    assert sum(one["count"] for one in (await there.get(f"/v1/stats?since=24h&until={local}"))["hours"]) == 1


async def test_months_are_the_accounts(there: House) -> None:
    await ordered(there, LATE)
    report = await there.get("/v1/reports/orders?group_by=month")
    assert (report["zone"], [one["group"] for one in report["data"]]) == (ZONE, ["2026-11"])
    report = await there.get("/v1/reports/orders?group_by=month&zone=UTC")
    assert (report["zone"], [one["group"] for one in report["data"]]) == ("UTC", ["2026-12"])


async def test_files_take_dates_of_the_account(there: House) -> None:
    row = {"external_id": "1", "value": "1.00", "ordered_at": "2026-11-30T23:30", "contact_email": "a@example.com"}
    assert counts(await send(there, [row])) == (1, 0, 0, 0)
    assert (await there.data("/v1/orders"))[0]["ordered_at"] == LATE
    told = await send_text(there, "external_id,ordered_at\n1,2026-12-01T02:30:00Z\n")
    assert counts(told)[3] == 0
    assert (await there.data("/v1/orders"))[0]["ordered_at"] == LATE


async def test_what_is_no_zone_is_refused(house: House) -> None:
    for name in ("Sao Paulo", "../../etc/passwd", "", "BRT", "-03:00"):
        answer = await house.call("PATCH", "/v1/account", {"timezone": name})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "timezone"), name
    assert (await house.get("/v1/account"))["timezone"] == "UTC"
