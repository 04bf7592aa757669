"""People who share a phone or an e-mail: export, erasure, late webhooks and wallets concern one of them."""

import json
from typing import Any

import pytest

from tests.house import House, order_event, signed
from tests.web.test_erasing import everything

pytestmark = pytest.mark.anyio

LANDLINE = "+551133334444"
ANA = {
    "id": "c1",
    "name": "Anabela Prado",
    "email": "anabela@example.com",
    "phone": LANDLINE,
    "document": "529.982.247-25",
}
BRUNO = {
    "id": "c2",
    "name": "Brunildo Lima",
    "email": "brunildo@example.com",
    "phone": LANDLINE,
    "document": "111.444.777-35",
}
OF_ANA = ("anabela", "52998224725", "529.982.247-25")
OF_BRUNO = ("brunildo", "11144477735", "111.444.777-35")


def a_household() -> tuple[dict[str, str], dict[str, str]]:
    return ANA, BRUNO


def two_cpfs_one_email() -> tuple[dict[str, str], dict[str, str]]:
    shared = {"email": "casa@example.com"}
    return {**ANA, **shared}, {**BRUNO, **shared, "phone": "+5511987654321"}


def a_recycled_number() -> tuple[dict[str, str], dict[str, str]]:
    return ANA, {name: BRUNO[name] for name in ("name", "phone")}


CASES = {"household": a_household, "two CPFs": two_cpfs_one_email, "recycled": a_recycled_number}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def both(house: House, case: str) -> tuple[str, str, str]:
    """Two orders of each. Returns the source, and the contacts."""
    source = await house.source()
    first, second = CASES[case]()
    for number, buyer in enumerate((first, second, first, second)):
        await house.deliver(source, order_event(f"o{number}", contact=buyer, title=f"of {buyer['name']}"))
    orders = {one["external_id"]: one["contact_id"] for one in await house.data("/v1/orders")}
    assert orders["o0"] == orders["o2"] and orders["o1"] == orders["o3"] and orders["o0"] != orders["o1"]
    return source, orders["o0"], orders["o1"]


def holds(text: str, marks: tuple[str, ...]) -> list[str]:
    return [mark for mark in marks if mark in text.casefold()]


async def test_an_export_holds_one_person(house: House, case: str) -> None:
    _, ana, bruno = await both(house, case)
    texts = [json.dumps(await house.get(f"/v1/contacts/{one}/export")) for one in (ana, bruno)]
    assert holds(texts[0], OF_ANA) and not holds(texts[0], OF_BRUNO)
    assert holds(texts[1], OF_BRUNO) and not holds(texts[1], OF_ANA)


async def test_erasing_one_leaves_the_other_whole_and_says_so_beforehand(house: House, case: str) -> None:
    source, ana, bruno = await both(house, case)
    before = {one["external_id"]: one for one in await house.data(f"/v1/contacts/{bruno}/orders")}
    contact = await house.get(f"/v1/contacts/{bruno}")
    planned = await house.call("DELETE", f"/v1/contacts/{ana}?dry_run=true")
    assert planned.status_code == 200 and len(await house.data(f"/v1/contacts/{ana}/orders")) == 2
    shared = [one["value"] for one in planned.json()["identities"] if bruno in one["shared_with"]]
    assert shared == [{"two CPFs": "casa@example.com"}.get(case, LANDLINE)]
    done = await house.call("DELETE", f"/v1/contacts/{ana}")
    assert planned.json()["counts"] == done.json()["counts"]
    text = await everything(house)
    assert not holds(text, OF_ANA) and holds(text, OF_BRUNO)
    assert {one["external_id"]: one for one in await house.data(f"/v1/contacts/{bruno}/orders")} == before
    after = await house.get(f"/v1/contacts/{bruno}")
    assert (after["name"], after["identities"]) == (contact["name"], contact["identities"])
    # Late webhooks: Ana does not come back, and Bruno is as he was.
    first, second = CASES[case]()
    at = "2026-11-22T13:00:00Z"
    late = [order_event(name, contact=buyer, at=at) for name, buyer in (("o0", first), ("n1", first), ("n2", second))]
    for one in late:
        assert (await house.deliver(source, one)).status_code == 200
    assert not holds(await everything(house), OF_ANA)
    assert {one["external_id"] for one in await house.data(f"/v1/contacts/{bruno}/orders")} == {"o1", "o3", "n2"}
    orders = {one["external_id"]: one["contact_id"] for one in await house.data("/v1/orders")}
    assert (orders["o0"], orders["n1"]) == (None, None)


async def test_a_reps_wallet_has_one_person(house: House, case: str) -> None:
    source, ana, _ = await both(house, case)
    found = await house.get(f"/v1/contacts/{ana}")
    document = next(one["value"] for one in found["identities"] if one["kind"] == "document")
    await house.call("PUT", "/v1/contacts/9", {"documents": [document], "owner_id": "rep"})
    await house.call("POST", "/v1/members", {"name": "Rep", "role": "rep", "id": "rep"})
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    rep = await house.token_of("rep", "rep")
    first, second = CASES[case]()
    for name, buyer in (("n1", first), ("n2", second)):
        await house.deliver(source, order_event(name, contact=buyer, title=f"of {buyer['name']}"))
    answers = []
    for path in ("/v1/orders", f"/v1/contacts/{ana}", "/v1/contacts?q=lima", f"/v1/contacts?phone=%2B{LANDLINE[1:]}"):
        answers.append(json.dumps(await house.get(path, token=rep)))
    assert not holds("".join(answers), OF_BRUNO) and holds("".join(answers), OF_ANA)
    orders = json.loads(answers[0])["data"]
    assert {one["external_id"] for one in orders} == {"o0", "o2", "n1"}


async def test_only_the_erased_persons_values_are_blanked_where_others_are_told_of(house: House) -> None:
    source, ana, _ = await both(house, "household")
    cart = {"type": "cart.updated", "timestamp": "2026-11-20T13:00:00Z", "data": {"a": ANA["email"], "b": "eva@x.com"}}
    said = (await house.deliver(source, signed("standard", json.dumps(cart).encode()))).json()
    own = {**cart, "data": {"a": ANA["email"]}}
    alone = (await house.deliver(source, signed("standard", json.dumps(own).encode()))).json()
    await house.call("DELETE", f"/v1/contacts/{ana}")
    rows = [await house.get(f"/v1/deliveries/{one['delivery_id']}") for one in (said, alone)]
    assert [(row["body_kept"], row["notes"]) for row in rows] == [(True, ["erased"]), (False, ["erased"])]
    body: Any = json.loads(rows[0]["body"])
    assert (body["data"]["a"], body["data"]["b"]) == ("noreply@erased.invalid", "eva@x.com")
    late = (await house.deliver(source, signed("standard", json.dumps({**cart, "n": 2}).encode()))).json()
    row = await house.get(f"/v1/deliveries/{late['delivery_id']}")
    assert row["notes"] == ["erased"] and "eva@x.com" in row["body"] and ANA["email"] not in row["body"]


async def test_a_held_delivery_of_somebody_elses_stays(house: House) -> None:
    holding = await house.source(unknown_contacts="hold")
    held = (await house.deliver(holding, order_event("h", contact=BRUNO))).json()
    assert held["outcome"] == "held"
    made = await house.call("PUT", "/v1/contacts/1", {"emails": [ANA["email"]], "phones": [LANDLINE]})
    assert made.status_code == 201
    await house.service.held.sweep()  # the phone alone is refused, and is not tried again and again
    row = await house.get(f"/v1/deliveries/{held['delivery_id']}")
    await house.service.held.sweep()
    assert (await house.get(f"/v1/deliveries/{held['delivery_id']}"))["attempts"] == row["attempts"]
    await house.call("DELETE", "/v1/contacts/1")
    await house.call("PUT", "/v1/contacts/2", {"documents": [BRUNO["document"]]})
    await house.service.held.sweep()
    assert [one["external_id"] for one in await house.data("/v1/contacts/2/orders")] == ["h"]
