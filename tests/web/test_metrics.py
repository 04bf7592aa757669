"""What Prometheus is told: sums for everybody, sources only for their own account, and no query when scraped."""

import asyncio
import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.base import clock
from app.base.outcome import Outcome
from app.db.engine import Store
from app.observability.metrics import MOST_SOURCES, OTHER, Metrics
from tests.house import House, order_event

pytestmark = pytest.mark.anyio


async def samples(house: House, token: str | None = None) -> dict[tuple[str, ...], float]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await house.client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_sums_for_everybody_and_sources_for_their_account(house: House) -> None:
    source = await house.source()
    one = order_event("1", delivery_id="m1")
    for delivery in (one, one, order_event("2"), one.changed(headers={"webhook-signature": "v1,x"})):
        await house.deliver(source, delivery)
    told = await samples(house)
    assert told["orders_deliveries_total", "created"] == 2
    assert told["orders_deliveries_total", "duplicate"] == 1
    assert told["orders_refused_total", "unverified", "signature_mismatch"] == 1
    assert told["orders_commit_batch_size_sum",] == told["orders_acknowledgement_seconds_count",] == 3
    assert told["orders_commit_queue",] == 0
    assert not any(source in word for words in told for word in words)
    mine = await samples(house, house.token)
    assert mine["orders_deliveries_total", "created", source] == 2
    made = (await house.operator.post("/operator/accounts", json={"name": "other", "enable": True})).json()
    other = await samples(house, made["admin_token"])
    assert not any(source in word for words in other for word in words)
    assert source in (await house.operator.get("/metrics")).text
    rep = await house.client.get("/metrics", headers={"Authorization": f"Bearer {await house.token_of('rep')}"})
    assert (rep.status_code, rep.json()["code"]) == (403, "forbidden")
    wrong = await house.client.get("/metrics", headers={"Authorization": "Bearer nonsense"})
    assert wrong.status_code == 401


async def test_a_source_shows_when_it_was_last_good_from_the_start(house: House) -> None:
    name = "orders_source_last_good_timestamp_seconds"
    fresh, source = await house.source(), await house.source()
    made = {one["id"]: clock.since(one["created_at"], 0) / 1e6 for one in await house.data("/v1/sources")}
    assert {one: (await samples(house, house.token))[name, one] for one in made} == pytest.approx(made)
    await house.deliver(source, order_event("1").changed(headers={"webhook-signature": "v1,x"}))
    assert (await samples(house, house.token))[name, source] == pytest.approx(made[source])
    await house.deliver(source, order_event("1"))
    for _ in range(2):  # counted here, then read as another process would
        told = await samples(house, house.token)
        (row,) = await house.data("/v1/deliveries")
        assert told[name, source] == pytest.approx(clock.since(row["received_at"], 0) / 1e6)
        assert told[name, fresh] == pytest.approx(made[fresh])
        house.service.metrics._last_good.clear()
        await house.service.metrics.poll()
    assert name not in (await house.client.get("/metrics")).text
    await house.call("PATCH", f"/v1/sources/{fresh}", {"enabled": False})
    await house.service.metrics.poll()
    assert (name, fresh) not in await samples(house, house.token)


async def test_a_source_that_is_made_while_the_engine_is_asked_is_shown(house: House) -> None:
    metrics = house.service.metrics
    asking = asyncio.create_task(metrics.poll())
    await asyncio.sleep(0)  # the first question is asked
    metrics.source_added(house.account_id, "src_new", 1_000_000)
    await asking
    assert b'timestamp_seconds{source="src_new"} 1.0' in metrics.text(house.account_id)


async def test_what_waits_and_whether_the_engine_answers(house: House) -> None:
    source = await house.source(unknown_contacts="hold")
    await house.deliver(source, order_event("1"))
    await house.service.metrics.poll()
    told = await samples(house)
    assert (told["orders_held_waiting",], told["orders_engine_up",], told["orders_fetches_waiting",]) == (1, 1, 0)


async def test_scraping_reads_memory_alone(house: House) -> None:
    unconnected = Metrics(Store(house.settings, house.service.vault), lambda: 7)  # any question to it would fail
    unconnected.refused("acc", "src", Outcome.UNVERIFIED, "signature_mismatch")
    text = unconnected.text("acc").decode()
    assert "orders_commit_queue 7.0" in text and "orders_engine_up 0.0" in text
    assert 'orders_deliveries_total{outcome="unverified",source="src"} 1.0' in text


async def test_series_are_bounded(house: House) -> None:
    metrics = Metrics(house.service.store, lambda: 0)
    for number in range(MOST_SOURCES + 10):
        metrics.refused("acc", f"src_{number}", Outcome.UNVERIFIED, "signature_mismatch")
    text = metrics.text("acc").decode()
    assert text.count("orders_deliveries_total{") == MOST_SOURCES + 1
    assert f'source="{OTHER}"' in text


async def test_rules_and_dashboard_name_metrics_that_there_are(house: House) -> None:
    await house.deliver(await house.source(), order_event("1"))
    text = (await house.client.get("/metrics", headers={"Authorization": f"Bearer {house.token}"})).text
    exist = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    exist |= {"orders_refused_total"}  # nothing was refused yet
    folder = Path(__file__).parents[2] / "docs" / "operations"
    for file in ("alerts.yml", "grafana.json"):
        named = set(re.findall(r"\borders_[a-z_]+", (folder / file).read_text()))
        assert named and named <= exist, named - exist
    rules = yaml.safe_load((folder / "alerts.yml").read_text())["groups"][0]["rules"]
    assert all(rule["expr"] and rule["annotations"].keys() == {"summary", "advice"} for rule in rules)
    assert all(panel["targets"] for panel in json.loads((folder / "grafana.json").read_text())["panels"])


async def test_a_fault_of_whoever_looks_on_holds_up_no_delivery(house: House) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault")

    house.service.group_commit.observers.insert(0, fails)
    source = await house.source()
    for number in ("1", "2"):
        assert (await house.deliver(source, order_event(number))).status_code == 200
    assert (await samples(house))["orders_commit_batch_size_sum",] == 2
