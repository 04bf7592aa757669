"""Bulk retry: what matches is taken up again, in the background; over a restart, beside new deliveries, with two processes."""

import asyncio
from typing import Any

import pytest

from app.base.settings import Settings
from app.base.tuning import Tuning
from app.db.statements import Plan, Sql
from app.store import jobs
from tests.house import House, eventually, order_event
from tests.jobs import anew, begun, changes, done, ended

pytestmark = pytest.mark.anyio


async def delivered(house: House, source: str, count: int) -> None:
    answers = await asyncio.gather(
        *(house.deliver(source, order_event(f"{number}", delivery_id=f"m{number}")) for number in range(count))
    )
    assert {answer.status_code for answer in answers} == {200}


async def attempts(house: House) -> list[int]:
    return [row["attempts"] for row in await house.data("/v1/deliveries?limit=200")]


async def written(house: House, sql: str, **values: Any) -> None:
    def plan() -> Plan[None]:
        yield Sql(sql, **values)

    await house.service.store.commit(plan)


async def test_what_matches_is_counted_then_retried(house: House) -> None:
    source, other = await house.source(), await house.source()
    await delivered(house, source, 70)
    await delivered(house, other, 1)
    told = await house.call("POST", "/v1/deliveries/retry", {"filter": {"source_id": source}, "dry_run": True})
    assert (told.status_code, told.json()) == (200, {"count": 70, "dry_run": True})
    assert set(await attempts(house)) == {1} and await house.data("/v1/jobs") == []
    job = await done(house, "/v1/deliveries/retry", {"filter": {"source_id": source}})
    assert (job["kind"], job["dry_run"], job["filter"]) == ("retry", False, {"source_id": source})
    assert (job["total"], job["done"], job["changed"], job["failed"]) == (70, 70, 0, 0)
    assert job["finished_at"] and job["member_id"]
    assert sorted(await attempts(house)) == [1] + [2] * 70
    [listed] = await house.data("/v1/jobs?state=done&kind=retry")
    assert listed["id"] == job["id"] and await house.data("/v1/jobs?kind=remap") == []


async def test_what_cannot_be_taken_up_is_counted_with_its_reason(house: House) -> None:
    source, gone = await house.source(), await house.source()
    await delivered(house, source, 3)
    await delivered(house, gone, 2)
    first = (await house.data(f"/v1/deliveries?source_id={source}"))[0]["id"]
    await written(house, "DELETE FROM bodies WHERE delivery_id = :id", id=first)
    assert (await house.call("DELETE", f"/v1/sources/{gone}")).status_code == 204
    job = await done(house, "/v1/deliveries/retry", {"filter": {}})
    assert (job["done"], job["failed"]) == (5, 3)
    assert job["failures"] == [
        {"reason": "its body is not kept any more", "count": 1},
        {"reason": "its source was deleted", "count": 2},
    ]


async def test_changes_say_what_became_of_each(house: House) -> None:
    source = await house.source(unknown_contacts="hold")
    await delivered(house, source, 5)
    store = house.service.store
    await written(house, "DELETE FROM held")  # or the sweep would take them up before the job
    await house.call("PUT", "/v1/contacts/7", {"emails": ["ana@example.com"]})
    job = await done(house, "/v1/deliveries/retry", {"filter": {"outcome": "held"}})
    assert (job["done"], job["changed"]) == (5, 5)
    found = await changes(house, job)
    assert len(found) == 5 and {one["kind"] for one in found} == {"delivery"}
    assert {tuple(one["fields"]["outcome"].values()) for one in found} == {("held", "created")}
    assert len(await jobs.changes(store, house.account_id, job["id"], kind="order", after=("", ""), limit=9)) == 0


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/deliveries/retry", {}, "filter"),
        ("/v1/deliveries/retry", {"filter": {"colour": "red"}}, "filter.colour"),
        ("/v1/deliveries/retry", {"filter": {"since": "yesterday"}}, "filter.since"),
        ("/v1/deliveries/retry", {"filter": {"outcome": "unverified"}}, "filter.outcome"),
        ("/v1/deliveries/retry", {"filter": {"contact": "nobody"}}, "filter.contact"),
        ("/v1/remap", {}, "source_id"),
        ("/v1/remap", {"source_id": "SOURCE", "since": "soon"}, "since"),
        ("/v1/remap", {"source_id": "CRM"}, "source_id"),
    ],
)
async def test_what_is_wrong_is_named(house: House, path: str, body: dict[str, Any], field: str) -> None:
    known = {"SOURCE": await house.source(), "CRM": await house.source("chatwoot")}
    given = {name: known.get(value, value) if isinstance(value, str) else value for name, value in body.items()}
    answer = await house.call("POST", path, given)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    assert field in [one["field"] for one in answer.json()["errors"]]


async def test_what_is_not_there_or_anothers(house: House) -> None:
    source = await house.source()
    await delivered(house, source, 1)
    job = await done(house, "/v1/deliveries/retry", {"filter": {}})
    made = (await house.operator.post("/operator/accounts", json={"name": "other", "enable": True})).json()
    house.token = made["admin_token"]
    for method, path in (("GET", ""), ("GET", "/changes"), ("POST", "/stop")):
        answer = await house.call(method, f"/v1/jobs/{job['id']}{path}", {} if method == "POST" else None)
        assert answer.status_code == 404
    assert await house.data("/v1/jobs") == []
    assert (await house.call("POST", "/v1/remap", {"source_id": source})).status_code == 404


async def test_what_comes_after_the_start_is_not_part_of_it(house: House) -> None:
    source = await house.source()
    await delivered(house, source, 3)
    service = house.service
    await service.jobs.stop()
    job_id = await begun(house, "/v1/deliveries/retry", {"filter": {}})
    late = (await house.deliver(source, order_event("late", delivery_id="late"))).json()["delivery_id"]
    service.jobs = anew(service)
    service.jobs.loop.start(service.tuning)
    job = await ended(house, job_id)
    assert (job["total"], job["done"]) == (3, 3)
    assert (await house.get(f"/v1/deliveries/{late}"))["attempts"] == 1


@pytest.mark.tuned(job_batch=1)
async def test_a_stopped_job_does_no_more(house: House) -> None:
    source = await house.source()
    await delivered(house, source, 200)
    job_id = await begun(house, "/v1/deliveries/retry", {"filter": {}})
    await eventually(lambda: house.get(f"/v1/jobs/{job_id}"), lambda job: job["done"] > 0)
    stopped = (await house.call("POST", f"/v1/jobs/{job_id}/stop", {})).json()
    assert stopped["state"] == "stopped" and stopped["finished_at"] and stopped["done"] < 200
    other = await done(
        house, "/v1/deliveries/retry", {"filter": {"external_id": "1"}}
    )  # the engine goes on with others
    assert other["done"] == 1
    assert (await house.get(f"/v1/jobs/{job_id}"))["done"] == stopped["done"]


async def test_it_goes_on_after_a_restart(settings: Settings) -> None:
    tuning = Tuning(job_batch=2)
    async with House(settings, tuning=tuning) as house:
        token = house.token
        await delivered(house, await house.source(), 60)
        job_id = await begun(house, "/v1/deliveries/retry", {"filter": {}})
        await eventually(lambda: house.get(f"/v1/jobs/{job_id}"), lambda job: job["done"] > 0)
    async with House(settings, "another", tuning=tuning) as house:
        house.token = token
        job = await ended(house, job_id)
        assert (job["state"], job["done"]) == ("done", 60)
        assert set(await attempts(house)) == {2}  # none twice: the house was left in order


async def test_a_piece_that_ends_the_process_three_times_ends_the_job(house: House) -> None:
    """Else every start would begin with what ended the last one, for ever."""
    await delivered(house, await house.source(), 1)
    service = house.service
    await service.jobs.stop()
    job_id = await begun(house, "/v1/deliveries/retry", {"filter": {}})
    store = service.store
    for at in (1, 3):  # the process ends; its claim runs out
        [mine] = await jobs.claim(store, claim="mine", present=at, until=at + 1, limit=5)
    await store.commit(lambda: jobs.advance(mine, jobs.JobStep(done=1), until=6))  # the next piece is another one
    for at in (7, 9):
        assert len(await jobs.claim(store, claim="mine", present=at, until=at + 1, limit=5)) == 1
    assert (await house.get(f"/v1/jobs/{job_id}"))["state"] == "running"
    assert await jobs.claim(store, claim="mine", present=11, until=12, limit=5) == []
    job = await house.get(f"/v1/jobs/{job_id}")
    assert (job["state"], job["done"]) == ("failed", 1)
    assert "begun 3 times" in job["reason"]


async def test_a_job_that_is_let_go_of_has_lost_no_try(house: House) -> None:
    await delivered(house, await house.source(), 1)
    service = house.service
    await service.jobs.stop()
    await begun(house, "/v1/deliveries/retry", {"filter": {}})
    for at in range(5):
        [mine] = await jobs.claim(service.store, claim="mine", present=at + 1, until=99, limit=5)
        await jobs.let_go(service.store, mine)


async def test_a_claim_that_ran_out_is_anothers(house: House) -> None:
    """A process that was away for too long finds that it has lost the job, and writes nothing."""
    await delivered(house, await house.source(), 1)
    service = house.service
    await service.jobs.stop()
    job_id = await begun(house, "/v1/deliveries/retry", {"filter": {}})
    store = service.store
    [mine] = await jobs.claim(store, claim="mine", present=1, until=2, limit=5)
    assert await jobs.claim(store, claim="theirs", present=1, until=9, limit=5) == []
    [theirs] = await jobs.claim(store, claim="theirs", present=3, until=9, limit=5)
    assert mine["id"] == theirs["id"] == job_id
    with pytest.raises(jobs.LeaseLost):
        await store.commit(lambda: jobs.advance(mine, jobs.JobStep(done=1), until=5))
    await jobs.finish(store, mine, jobs.DONE)
    assert (await house.get(f"/v1/jobs/{job_id}"))["state"] == "running"
    await store.commit(lambda: jobs.advance(theirs, jobs.JobStep(done=1), until=5))
    assert (await house.get(f"/v1/jobs/{job_id}"))["done"] == 1


async def test_a_storm_beside_it(settings: Settings) -> None:
    """Everything is retried while more about the same orders comes in: nothing is lost, and no order is there twice.

    Two processes on PostgreSQL, which share the jobs; on SQLite one, as everywhere.
    """
    tuning = Tuning(job_batch=16)
    numbers, rounds = range(20), range(6)

    def said(number: int, turn: int) -> Any:
        at = f"2026-11-20T13:{turn:02}:00Z"
        return order_event(f"{number}", at=at, value=f"{turn + 1}.00", delivery_id=f"m{number}-{turn}")

    async with House(settings, tuning=tuning) as house:
        source = await house.source()
        for number in numbers:
            assert (await house.deliver(source, said(number, 0))).status_code == 200

        async def storm(doors: list[House]) -> None:
            jobs_ = [
                await begun(house, "/v1/deliveries/retry", {"filter": {"source_id": source}}),
                await begun(house, "/v1/remap", {"source_id": source}),
                await begun(house, "/v1/deliveries/retry", {"filter": {}}),
            ]
            answers = await asyncio.gather(
                *(
                    doors[(number + turn) % len(doors)].deliver(source, said(number, turn))
                    for turn in rounds[1:]
                    for number in numbers
                )
            )
            assert {answer.status_code for answer in answers} == {200}
            for job_id in jobs_:
                job = await ended(house, job_id)
                assert (job["state"], job["failed"]) == ("done", 0), job

        if settings.on_sqlite:
            await storm([house])
        else:
            async with House(settings, "another", tuning=tuning) as other:
                await storm([house, other])
        orders = await house.data("/v1/orders?limit=200")
        assert sorted(order["external_id"] for order in orders) == sorted(str(number) for number in numbers)
        assert {order["value"] for order in orders} == {"6.00"}
        for order in orders[:5]:
            history = await house.data(f"/v1/orders/{order['id']}/history")
            assert [entry["said"]["value"] for entry in history] == [f"{turn + 1}.00" for turn in rounds]
