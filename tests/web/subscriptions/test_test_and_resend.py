"""What is sent because somebody asks: a test, and what changed since a time."""

import pytest

from adapters.contract import Unverified
from app.base import clock
from app.store import retention
from app.store.retention import DAY
from tests.house import House, order_event
from tests.receiver import Receiver
from tests.web.subscriptions.conftest import SOON, STANDARD, attempts_of, filtered, silent

pytestmark = [pytest.mark.anyio, SOON]


async def test_a_test_says_what_came_of_it(house: House, receiver: Receiver) -> None:
    made = await filtered(house, receiver, headers={"x-key": "k"})
    path = f"/v1/subscriptions/{made['id']}"
    told = (await house.call("POST", f"{path}/test", {})).json()
    assert (told["delivered"], told["status"], told["type"], told["reason"]) == (True, 200, "order.created", None)
    (sent,) = receiver.told
    assert sent.said["data"]["test"] is True and sent.said["data"]["order"]["test"] is True
    assert sent.said["id"] == told["event_id"] and sent.headers["x-key"] == "k" and "timestamp" in sent.said
    assert not isinstance(STANDARD.verify(sent.delivery, [made["secret"]], sent.delivery.received_at), Unverified)
    receiver.answer = (500, {}, b"")
    told = (await house.call("POST", f"{path}/test", {})).json()
    assert (told["delivered"], told["status"]) == (False, 500) and "HTTP 500" in told["reason"]
    assert (await house.get(path))["state"] == "working"  # a test says nothing of it
    assert [one["delivered"] for one in await attempts_of(house, made)] == [False, True]
    assert await house.data("/v1/orders") == []


async def test_what_changed_is_sent_again_from_a_time_on(house: House, receiver: Receiver) -> None:
    source = await house.source()
    await house.deliver(source, order_event("before", status="paid"))
    since = clock.iso(clock.now())
    for number, status in (("1", "paid"), ("2", "pending")):
        await house.deliver(source, order_event(number, status=status))
    await house.deliver(source, order_event("before", status="refunded", at="2026-11-21T00:00:00Z"))
    made = await filtered(
        house, receiver, events=["order.created", "order.updated"], filter={"status": ["paid", "refunded"]}
    )
    path = f"/v1/subscriptions/{made['id']}"
    told = await house.call("POST", f"{path}/resend", {"since": since})
    assert (told.status_code, told.json()) == (202, {"events": 2})
    await silent(house)
    found = {one["data"]["order"]["external_id"]: one["type"] for one in receiver.events()}
    assert found == {"1": "order.created", "before": "order.updated"}
    assert (await house.call("POST", f"{path}/resend", {"since": since, "until": since})).status_code == 422
    assert (await house.call("POST", f"{path}/resend", {"since": "2020", "until": since})).status_code == 422
    none = await house.call("POST", f"{path}/resend", {"since": "2020-01-01", "until": "2020-01-02"})
    assert none.json() == {"events": 0}
    await house.call("PATCH", path, {"enabled": False})
    assert (await house.call("POST", f"{path}/resend", {"since": since})).json()["code"] == "conflict"


async def test_erasures_are_sent_again_from_a_time_on_with_ids_alone(house: House, receiver: Receiver) -> None:
    for crm_id in ("1", "2", "3"):
        await house.call("PUT", f"/v1/contacts/{crm_id}", {"name": "Ana Souza", "emails": [f"a{crm_id}@example.com"]})
    ids = {crm_id: (await house.get(f"/v1/contacts/{crm_id}"))["id"] for crm_id in ("1", "2", "3")}
    assert (await house.call("DELETE", "/v1/contacts/1")).status_code == 200
    since = clock.iso(clock.now())
    assert (await house.call("POST", "/v1/contacts/3/merge", {"into": "2"})).status_code == 200
    assert (await house.call("DELETE", "/v1/contacts/2")).status_code == 200
    until = clock.iso(clock.now())
    # A filter holds for orders; a subscription that does not want erasures is sent none.
    made = await filtered(house, receiver, events=["contact.erased"], filter={"currency": ["USD"]})
    other = await filtered(house, receiver, events=["order.created"])
    path = f"/v1/subscriptions/{made['id']}/resend"
    told = await house.call("POST", path, {"since": since})
    assert (told.status_code, told.json()) == (202, {"events": 1})
    assert (await house.call("POST", f"/v1/subscriptions/{other['id']}/resend", {"since": since})).json() == {
        "events": 0
    }
    await silent(house)
    (event,) = receiver.events()
    assert event["type"] == "contact.erased" and since <= event["timestamp"] <= until
    assert event["data"] == {"contact_id": ids["2"], "merged": [ids["3"]]}
    assert (await house.call("POST", path, {"since": "2020-01-01", "until": since})).json() == {"events": 1}
    # The ids stand as long as the log.
    await house.call("PATCH", "/v1/account", {"retention": {"deliveries": "1d"}})
    later = clock.now() + 2 * DAY
    assert await retention.count(house.service.store, house.account_id, "deliveries", later) >= 2
    after = None
    while True:
        step = await retention.step(
            house.service.store, house.account_id, "deliveries", later, after, house.service.tuning.prune_steps
        )
        if (after := step.after) is None:
            break
    assert await house.service.store.all("SELECT id FROM erased_contacts") == []
    assert (await house.call("POST", path, {"since": "2020-01-01"})).json() == {"events": 0}
