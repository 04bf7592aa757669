"""Stories, sent to the whole application over HTTP, on both engines; and that the runner of stories lets nothing pass unasked."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests import outside, scenarios
from tests.conftest import ASTRAY, emptied
from tests.house import House
from tests.scenarios import OWN, SourcesApi, Wrong, play, read, stories

pytestmark = pytest.mark.anyio

OPEN = scenarios.still_open()
Running = tuple[House, SourcesApi]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
async def running(
    engine: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Running]:
    """One application for all stories: each has an account of its own."""
    settings = emptied(engine, tmp_path_factory.mktemp("stories"), request)
    async with scenarios.running(settings) as (house, api):
        yield house, api
        for astray in ASTRAY:
            assert await house.service.store.all(astray) == []


def each_story() -> list[Any]:
    """Those that are known to end wrong must do so: one that ends right is to be taken out of the table."""

    def known(name: str) -> list[pytest.MarkDecorator]:
        return [pytest.mark.xfail(strict=True, raises=Wrong, reason=OPEN[name])] if name in OPEN else []

    return [pytest.param(folder, id=folder.name, marks=known(folder.name)) for folder in stories()]


@pytest.mark.parametrize("folder", each_story())
async def test_a_story_ends_as_it_should(running: Running, folder: Path) -> None:
    lines = await play(*running, read(folder))
    if lines:
        raise Wrong("\n".join(["", *lines]))


def test_the_folder_of_stories_holds_stories() -> None:
    """Where there is none, the end of the run says that all stories but our own were left out."""
    folder = outside.folder("scenarios")
    assert folder is None or stories(folder)


def test_names_are_unique_and_the_open_ones_are_there() -> None:
    names = [folder.name for folder in stories()]
    assert len(names) == len(set(names))
    if outside.folder("scenarios") is not None:
        assert set(names) >= OPEN.keys()


# -- The runner ---------------------------------------------------------------------------------------------------


STORY: dict[str, Any] = json.loads((OWN / "standard-refund-arrives-before-payment" / "scenario.json").read_text())
WITHOUT = {name: value for name, value in STORY.items() if name not in scenarios.CHECKS}


def written(folder: Path, scenario: dict[str, Any]) -> Path:
    """The project's own story with another `scenario.json`."""
    for body in (OWN / "standard-refund-arrives-before-payment").glob("body.*"):
        (folder / body.name).write_bytes(body.read_bytes())
    (folder / "scenario.json").write_text(json.dumps(scenario))
    return folder


@pytest.mark.parametrize(
    "scenario",
    [
        WITHOUT,
        WITHOUT | {"orders": None},
        STORY | {"expects": "more"},
        STORY | {"deliveries": []},
        STORY | {"deliveries": [{"body": "body.1", "topic": "order.paid"}]},
        STORY | {"contacts": [{"hasn't": "a@example.com"}]},
        STORY | {"orders_or_reason": {"outcome": "ignored"}},
        STORY | {"times": 0},
        STORY | {"note": None, "notes": True},
    ],
)
def test_a_story_that_nothing_can_be_held_to_is_refused(tmp_path: Path, scenario: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, ValueError)):
        read(written(tmp_path, scenario))


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({"orders": []}, "orders: 1 instead of 0"),
        ({"orders": [{}, {}]}, "orders: 1 instead of 2"),
        ({"orders": [{"value": "99.00"}]}, "orders.value: '100.00' instead of '99.00'"),
        ({"orders": [{"value": 100}]}, "orders.value: '100.00' instead of 100"),
        ({"orders": [{"gross": "100.00"}]}, "orders.gross: is not there"),
        ({"orders": [{"items": [{"title": "Hat"}]}]}, "orders.items: 0 instead of 1"),
        ({"orders_any": [[], [{"status": "canceled"}]]}, "orders"),
        ({"orders_any": []}, "orders_any: names none"),
        ({"orders_not": [{"status": "paid"}]}, "is there"),
        ({"orders_not": {"currency": "BRL"}}, "is there"),
        ({"orders_or_reason": [{"status": "pending"}]}, "orders.status"),
        ({"orders_or_reason": {"orders": [], "reason_has": ["no"]}}, "orders: 1 instead of 0"),
        ({"net": {"BRL": "100.00"}}, "net.BRL: Decimal('60.00') instead of Decimal('100.00')"),
        ({"net": {}}, "net: 60.00 BRL too much"),
        ({"contacts": []}, "contacts: 1 instead of 0"),
        ({"contacts": [{"has": ["rui@example.com"]}]}, "has no rui@example.com"),
        ({"contacts": [{"lacks": ["ana@example.com"]}]}, "has ana@example.com"),
        ({"contacts": [{"name": "Rui"}]}, "called 'Ana Souza' instead of 'Rui'"),
        ({"lacks": ["ana@example.com"]}, "has ana@example.com"),
        ({"note": True}, "notes: [] instead of one"),
        ({"note": "unknown_status"}, "notes: [] instead of unknown_status"),
        ({"reason_has": ["refus"]}, "has none of"),
        ({"found_by": "PED-77"}, "no order is found by 'PED-77'"),
        ({"items_at_least": 1}, "0 items instead of 1"),
    ],
    ids=str,
)
async def test_what_is_not_as_expected_is_said(
    running: Running, tmp_path: Path, expected: dict[str, Any], said: str
) -> None:
    lines = await play(*running, read(written(tmp_path, WITHOUT | expected)))
    assert any(said in line for line in lines), lines


@pytest.mark.parametrize(
    "expected",
    [
        {"orders": []},
        {"orders_any": [[{}], []]},
        {"orders_not": {"status": "paid"}},
        {"orders_or_reason": True},
        {"lacks": ["+551155551234"]},
        {"net": {}},
        {"not_below_zero": True},
        {"items_at_least": 1},
        {"found_by": "1001"},
        {"contacts": []},
    ],
    ids=str,
)
async def test_nothing_to_do_is_no_success(running: Running, tmp_path: Path, expected: dict[str, Any]) -> None:
    """The order waits for a contact that nobody knows."""
    story = read(written(tmp_path, WITHOUT | {"unknown_contacts": "hold"} | expected))
    assert "there is no order, and the last delivery is held" in await play(*running, story)


async def test_a_source_that_is_refused_is_said(running: Running, tmp_path: Path) -> None:
    [line] = await play(*running, read(written(tmp_path, STORY | {"key": "of-no-use"})))
    assert "POST /v1/sources: HTTP 422" in line


async def test_a_kind_that_no_header_names_is_a_fault_of_the_story(running: Running, tmp_path: Path) -> None:
    story = read(written(tmp_path, STORY | {"deliveries": [{"body": "body.1", "kind": "order.paid"}]}))
    with pytest.raises(ValueError, match="in a header"):
        await play(*running, story)
