"""Counts: each delivery once, by how it ended; what follows from them, in words."""

import json
from typing import Any

import pytest

from adapters.contract import Delivery
from app.base import clock
from app.base.ids import new_id
from app.db.statements import Plan, Sql
from app.observability import alerts
from app.store.delivery_rollups import FIRST, GROWTH, LAST, bucket_of, longest_of, percentile
from tests.house import House, eventually, order_event, signed

pytestmark = pytest.mark.anyio


async def of(house: House, source: str, **query: str) -> Any:
    words = "&".join(f"{name}={value}" for name, value in query.items())
    (one,) = (await house.get(f"/v1/stats?source_id={source}&{words}"))["sources"]
    return one


async def test_every_delivery_counts_once_by_how_it_ended(house: House) -> None:
    source, other = await house.source(), await house.source(unknown_contacts="hold")
    paid = order_event("1", delivery_id="m1")
    for delivery in (paid, paid, order_event("1", status="refunded", at="2026-11-21T00:00:00Z"), order_event("2")):
        await house.deliver(source, delivery)
    await house.deliver(source, signed("standard", b"{"))
    await house.deliver(source, paid.changed(headers={"webhook-signature": "v1,x"}))
    await house.deliver(other, order_event("3", contact={"email": "bia@example.com"}))
    await house.service.refused.flush()
    shown = await of(house, source)
    assert shown["by_outcome"] == {"created": 2, "duplicate": 1, "updated": 1, "unreadable": 1, "unverified": 1}
    assert [(one["reason"], one["count"]) for one in shown["refused"]] == [("signature_mismatch", 1)]
    assert shown["last_good_at"] < shown["last_refused_at"] == shown["last_received_at"]
    found = await house.get("/v1/stats")
    assert sum(one["count"] for one in found["hours"]) == 7
    assert found["waiting"] == {"commit": 0, "fetches": 0, "oldest_fetch_at": None, "held": 1}
    known = found["acknowledgement"]
    assert known["count"] == 6 and 0 < known["p50_ms"] <= known["p99_ms"]
    # The log and the counts agree, also after what was held is taken up, and a retry.
    await house.call("PUT", "/v1/contacts/7", {"emails": ["bia@example.com"]})
    await eventually(lambda: of(house, other), lambda one: one["by_outcome"] == {"created": 1})
    for row in await house.data("/v1/deliveries"):
        await house.call("POST", f"/v1/deliveries/{row['id']}/retry", {})
    assert (await of(house, other))["by_outcome"] == {"created": 1}
    assert (await of(house, source))["by_outcome"] == shown["by_outcome"]


async def test_only_rejected_and_never_received_are_said_with_what_to_do(house: House) -> None:
    source, silent = await house.source(name="Shop"), await house.source(name="Other")
    await house.deliver(source, order_event("1"))
    (alert,) = (await house.get("/v1/stats"))["alerts"]
    assert (alert["code"], alert["source_id"]) == ("never_received", silent)
    assert f"/webhooks/{silent}" in alert["advice"]
    forged = Delivery(body=b"{}", headers=signed("standard", b"x").headers, received_at=clock.moment(clock.now()))
    await house.deliver(source, forged)
    await house.service.refused.flush()
    shown = await of(house, source)
    assert shown["only_rejected_since"] > shown["last_good_at"]
    (alert,) = (await house.get(f"/v1/stats?source_id={source}"))["alerts"]
    assert alert["code"] == "only_rejected"
    assert "the secret does not match; last good" in alert["message"] and "rotate" in alert["advice"]
    await house.deliver(source, order_event("2"))
    assert (await of(house, source))["only_rejected_since"] is None


async def test_a_source_that_is_silent_for_longer_than_usual(house: House) -> None:
    source = await house.source(name="Shop")
    hour = 3_600_000_000
    present = clock.now() // hour * hour

    async def came(ago: list[int]) -> None:
        def plan() -> Plan[None]:
            yield Sql("DELETE FROM tallies")
            for hours in ago:
                at = present - hours * hour
                yield Sql(
                    "INSERT INTO tallies (account_id, source_id, hour, outcome, shard, count, first_at, last_at) "
                    "VALUES (:account_id, :source_id, :at, 'created', 0, 1, :at, :at)",
                    account_id=house.account_id,
                    source_id=source,
                    at=at,
                )

        await house.service.store.commit(plan)

    await came([30, 27, 26, 24, 22, 21])
    (alert,) = (await house.get("/v1/stats"))["alerts"]
    assert alert["code"] == "silent"
    assert "silent for 2" in alert["message"] and "the longest pause was 3 h" in alert["message"]
    await came([30, 27, 26, 24, 12, 6])  # half a day is usual here
    assert (await house.get("/v1/stats"))["alerts"] == []
    await came([30, 24])  # nothing is usual yet
    assert (await house.get("/v1/stats"))["alerts"] == []
    await came([])  # the counts agree with the log again


async def test_unknown_status_words_are_listed_and_bounded(house: House) -> None:
    source = await house.source("woocommerce")
    for number in range(3):
        said = {
            "id": number,
            "status": f"wc-magic-{number // 2}",
            "currency": "BRL",
            "total": "10.00",
            "date_created_gmt": "2026-11-20T10:00:00",
            "date_modified_gmt": "2026-11-20T10:00:00",
        }
        body = json.dumps(said).encode()
        headers = {"x-wc-webhook-topic": "order.updated", "x-wc-webhook-delivery-id": str(number)}
        answer = await house.deliver(source, signed("woocommerce", body, headers))
        assert answer.json()["outcome"] == "created", answer.text
    words = (await of(house, source))["unknown_status"]
    assert sorted((one["word"], one["count"]) for one in words) == [("wc-magic-0", 2), ("wc-magic-1", 1)]
    (alert,) = (await house.get("/v1/stats"))["alerts"]
    assert alert["code"] == "unknown_status" and "wc-magic-1" in alert["message"]


async def test_what_a_query_may_not_ask(house: House) -> None:
    for query in ("since=x", "since=2026-01-01T00:00:00Z&until=2025-01-01T00:00:00Z", "since=200d", "sinse=24h"):
        assert (await house.call("GET", f"/v1/stats?{query}")).status_code == 422, query
    assert (await house.call("GET", "/v1/stats?source_id=src_none")).status_code == 404
    empty = await house.get("/v1/stats")
    assert (empty["sources"], empty["alerts"], empty["hours"]) == ([], [], [])
    assert empty["acknowledgement"] == {"count": 0, "p50_ms": None, "p99_ms": None}


def test_buckets_hold_what_they_say() -> None:
    for micros in (0, 1, FIRST, FIRST + 1, 125, 126, 5_000, 999_999, 10**9):
        bucket = bucket_of(micros)
        assert 0 <= bucket <= LAST
        assert micros <= longest_of(bucket) * 1000 * 1.000001 or bucket == LAST
        assert bucket == 0 or micros > longest_of(bucket - 1) * 1000 * 0.999999
    assert percentile({0: 98, 10: 1, 20: 1}, 0.5) == 0.1
    assert percentile({0: 98, 10: 1, 20: 1}, 0.99) == round(FIRST * GROWTH**10 / 1000, 2)
    assert percentile({}, 0.5) is None


def test_a_backlog_of_fetches_names_its_source_and_says_how_many_wait() -> None:
    queue = {"source_id": "src_1", "fetches": 1234, "oldest_fetch_at": 0}
    alert = alerts._backlog({"id": "src_1", "name": "Shop"}, queue, alerts.LATE_FETCH)
    assert (alert.code, alert.count) == ("fetch_backlog", 1234) and alert.message.startswith("Shop: ")
    assert alerts.late(queue, alerts.LATE_FETCH) and not alerts.late(queue, alerts.LATE_FETCH - 1)


async def test_more_than_200_sources_are_all_there_and_their_alerts_are_folded(house: House) -> None:
    def plan() -> Plan[None]:
        for number in range(250):
            yield Sql(
                "INSERT INTO sources (account_id, id, adapter, name, enabled, unknown_contacts, options, created_at) "
                "VALUES (:account_id, :id, 'standard', :name, :on, 'create', '{}', :at)",
                account_id=house.account_id,
                id=new_id("src"),
                name=f"Shop {number}",
                on=True,
                at=number,
            )

    await house.service.store.commit(plan)
    last = await house.source(name="Last")
    await house.deliver(last, order_event("1").changed(headers={"webhook-signature": "v1,x"}))
    await house.service.refused.flush()
    told = await house.get("/v1/stats")
    assert len(told["sources"]) == 251
    assert {one["source_id"]: one["by_outcome"] for one in told["sources"]}[last] == {"unverified": 1}
    worst, folded = told["alerts"]
    assert (worst["code"], worst["severity"], worst["source_id"], worst["source_name"]) == (
        "only_rejected",
        "critical",
        last,
        "Last",
    )
    assert (folded["code"], folded["severity"], folded["source_id"], folded["count"]) == (
        "never_received",
        "warning",
        None,
        250,
    )
    assert folded["message"] == "250 sources have never received anything"
    assert len({one["id"] for one in folded["sources"]}) == 250 and folded["since"] == "1970-01-01T00:00:00Z"


async def test_rejections_are_counted_within_the_period(house: House) -> None:
    source = await house.source()
    await house.deliver(source, order_event("1").changed(headers={"webhook-signature": "v1,x"}))
    await house.service.refused.flush()
    assert [one["count"] for one in (await of(house, source))["refused"]] == [1]
    assert (await of(house, source, since="2020-01-01", until="2020-01-02"))["refused"] == []
    (whole,) = (await house.get(f"/v1/sources/{source}"))["refused"]
    assert (whole["reason"], whole["count"]) == ("signature_mismatch", 1)


async def test_a_key_that_was_never_given_was_not_refused(house: House) -> None:
    source = await house.source("nuvemshop", name="Loja")
    body = b'{"store_id":1,"event":"order/paid","id":7}'
    await house.deliver(source, signed("nuvemshop", body))
    await eventually(lambda: of(house, source), lambda one: one["by_outcome"] == {"unfetched": 1})
    (alert,) = (await house.get("/v1/stats"))["alerts"]
    assert (alert["code"], alert["severity"], alert["source_name"]) == ("key_missing", "warning", "Loja")
    assert alert["message"].startswith("Loja: the key is missing")
