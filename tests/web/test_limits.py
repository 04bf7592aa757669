"""What takes long has a limit: of an account, of a token, and of all together."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from app.base.roles import Role
from app.web.http.authentication import Caller
from app.web.http.errors import Problem
from app.web.http.limits import EXPORTS, LIVE_LOGS, REPORTS, Limit, Limits
from tests.house import House, eventually, order_event
from tests.jobs import ended

pytestmark = pytest.mark.anyio

OPS = Caller("acc_1", None, Role.OPS, token_id="tok_1")


def limits_of(house: House) -> Limits:
    found: Limits = house.app._api.state.limits  # type: ignore[attr-defined]  # Starlette's
    return found


async def refused(limits: Limits, limit: Limit, caller: Caller) -> str | None:
    """Why there is no place; None if there is one."""
    try:
        async with limits.within(limit, caller):
            return None
    except Problem as why:
        assert (why.status, why.code) == (429, "too_many") and why.headers
        return why.detail


async def test_places_of_a_token_of_an_account_and_of_the_operator() -> None:
    limits, limit = Limits(), Limit("live logs", account=3, token=2)
    another_token, another_account = replace(OPS, token_id="tok_2"), replace(OPS, account_id="acc_2")
    operator = replace(OPS, operator=True)
    async with AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(limits.within(limit, OPS))
        assert await refused(limits, limit, OPS) == "this token has 2 live logs under way; 2 may be at once"
        assert await refused(limits, limit, another_account) is None
        await held.enter_async_context(limits.within(limit, another_token))
        assert await refused(limits, limit, another_token) == "this account has 3 live logs under way; 3 may be at once"
        assert await refused(limits, limit, operator) is None
        assert await refused(limits, replace(limit, what="exports"), OPS) is None
    assert await refused(limits, limit, OPS) is None
    assert not limits._rooms


async def test_those_that_wait_get_their_turn_and_too_many_are_refused() -> None:
    limits, limit = Limits(), Limit("reports", account=2, everybody=3, waits=1)
    began: list[str] = []

    async def report(account: str, until: asyncio.Event) -> None:
        async with limits.within(limit, replace(OPS, account_id=account)):
            began.append(account)
            await until.wait()

    first, rest = asyncio.Event(), asyncio.Event()
    tasks = [asyncio.create_task(report("a", first)), *(asyncio.create_task(report("a", rest)) for _ in range(2))]
    await eventually(lambda: asyncio.sleep(0, began), lambda found: found == ["a", "a"])
    why = await refused(limits, limit, replace(OPS, account_id="a"))
    assert why == "this account has 3 reports under way; 2 may be at once, and 1 more may wait"
    tasks += [asyncio.create_task(report("b", rest)) for _ in range(2)]
    await eventually(lambda: asyncio.sleep(0, began), lambda found: found == ["a", "a", "b"])  # three in all
    first.set()
    await eventually(lambda: asyncio.sleep(0, sorted(began)), lambda found: len(found) == 4)
    tasks[-1].cancel()  # whoever asked has gone, while it ran or while it waited
    rest.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not limits._rooms


@pytest.mark.parametrize(
    ("path", "limit", "held"),
    [
        ("/v1/reports/orders?group_by=status", REPORTS, REPORTS.account + REPORTS.waits),
        ("/v1/reports/contacts", REPORTS, REPORTS.account + REPORTS.waits),
        ("/v1/orders.csv", EXPORTS, EXPORTS.account),
        ("/v1/contacts.jsonl", EXPORTS, EXPORTS.account),
    ],
)
async def test_reports_and_exports_of_an_account_are_limited(house: House, path: str, limit: Limit, held: int) -> None:
    limits, caller = limits_of(house), replace(OPS, account_id=house.account_id)
    holders = [asyncio.create_task(_hold(limits, limit, caller)) for _ in range(held)]
    key = (limit.what, "account", house.account_id)
    await eventually(lambda: asyncio.sleep(0, limits._rooms[key].inside if key in limits._rooms else 0), held.__eq__)
    answer = await house.call("GET", path)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, "too_many", "10")
    other = await house.another("other")
    assert (await other.call("GET", path)).status_code == 200
    for one in holders:
        one.cancel()
    await asyncio.gather(*holders, return_exceptions=True)
    assert (await house.call("GET", path)).status_code == 200
    assert (await other.call("GET", path)).status_code == 200
    assert not limits._rooms


async def _hold(limits: Limits, limit: Limit, caller: Caller) -> None:
    async with limits.within(limit, caller):
        await asyncio.Event().wait()


async def test_a_live_log_holds_its_place_until_it_ends(house: House) -> None:
    limits = limits_of(house)
    assert LIVE_LOGS.token is not None

    async def watch() -> int:
        status = 0

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)

        headers = [(b"authorization", f"Bearer {house.token}".encode())]
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/v1/deliveries/tail",
            "query_string": b"",
            "headers": headers,
        }
        await house.app({**scope, "server": ("registry", 80), "asgi": {"version": "3.0"}}, receive, send)
        return status

    watchers = [asyncio.create_task(watch()) for _ in range(LIVE_LOGS.token)]
    await eventually(lambda: asyncio.sleep(0, len(house.service.tail._watchers)), LIVE_LOGS.token.__eq__)
    assert await watch() == 429
    watchers.pop().cancel()  # it hangs up
    await eventually(lambda: asyncio.sleep(0, len(house.service.tail._watchers)), (LIVE_LOGS.token - 1).__eq__)
    watchers.append(asyncio.create_task(watch()))
    await eventually(lambda: asyncio.sleep(0, len(house.service.tail._watchers)), LIVE_LOGS.token.__eq__)
    house.service.tail.end()
    assert await asyncio.gather(*watchers) == [200] * LIVE_LOGS.token
    assert not limits._rooms


@pytest.mark.tuned(look_every=0.02, job_waiting=2)
async def test_of_an_account_one_job_runs_at_a_time_and_few_wait(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, running = asyncio.Event(), list[str]()
    service = house.service
    piece = service.jobs.piece

    async def waits(job: Any) -> Any:
        running.append(job["account_id"])
        await go_on.wait()
        return await piece(job)

    monkeypatch.setattr(service.jobs, "piece", waits)
    other = await house.another("other")
    source = await house.source()
    await house.deliver(source, order_event())
    begun = [await house.call("POST", "/v1/deliveries/retry", {"filter": {}}) for _ in range(3)]
    assert [one.status_code for one in begun] == [202, 202, 429]
    assert begun[2].json()["code"] == "too_many" and "2 jobs" in begun[2].json()["detail"]
    assert (await other.call("POST", "/v1/deliveries/retry", {"filter": {}})).status_code == 202
    # Two run in a process: without the limit the first account would have both places.
    await eventually(lambda: asyncio.sleep(0, running), lambda found: found == [house.account_id, other.account_id])
    go_on.set()
    for one in begun[:2]:
        await ended(house, one.json()["job_id"])
    assert (await house.call("POST", "/v1/deliveries/retry", {"filter": {}})).status_code == 202
