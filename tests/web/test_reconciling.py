"""Contacts that were deleted or merged in the CRM: found by asking its API for each of ours, and mended."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from app.background import reconcile
from app.db.statements import Plan, Sql
from app.store import crm_reconciliation
from tests import jobs
from tests.house import House, order_event
from tests.jobs import anew
from tests.web.test_contacts_in import contact

pytestmark = pytest.mark.anyio

ADDRESS = "https://93.184.215.14"  # needs no name to be looked up
PATH = re.compile(r"/api/v1/accounts/3/contacts/(\d+|search)")
CPFS = ("529.982.247-25", "111.444.777-35")


class Chatwoot:
    """Chatwoot's API of account 3: contacts by their id, and the search by a part of e-mail or phone."""

    def __init__(self, router: respx.MockRouter) -> None:
        self.contacts: dict[int, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.answers: list[int] = []  # statuses of the next answers, if they are to be others
        self.hangs: asyncio.Event | None = None  # set when contact 2 is asked for, which then is never answered
        router.get(url__startswith=ADDRESS).mock(side_effect=self._answer)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["api_access_token"] == "made-up-token"
        if self.answers:
            return httpx.Response(self.answers.pop(0))
        found = PATH.fullmatch(request.url.path)
        if found is None:
            return httpx.Response(404, json={"error": "Resource could not be found"})
        if self.hangs and found[1] == "2":
            self.hangs.set()
            await asyncio.Event().wait()
        self.asked.append(found[1])
        if found[1] == "search":
            text = request.url.params["q"]
            hits = [one for one in self.contacts.values() if text in f"{one.get('email')} {one.get('phone_number')}"]
            return httpx.Response(200, json={"meta": {"count": len(hits)}, "payload": hits})
        if (one := self.contacts.get(int(found[1]))) is None:
            return httpx.Response(404, json={"error": "Resource could not be found"})
        return httpx.Response(200, json={"payload": one})


class Crm:
    """A source of contacts, and what its Chatwoot holds."""

    def __init__(self, house: House, source: str, chatwoot: Chatwoot) -> None:
        self.house, self.source, self.chatwoot = house, source, chatwoot
        self._sent = 0

    async def tells(self, number: int, event: str = "contact_created", **said: Any) -> None:
        """A contact that is made or changed in Chatwoot, and told."""
        self._sent += 1
        self.chatwoot.contacts[number] = {"id": number, "name": "Ana Souza", **said}
        await self.house.deliver(self.source, contact(number, event, nth=str(self._sent), **said))

    async def merges(self, number: int, into: int) -> None:
        """What Chatwoot does: destroys the one, then updates the other with what it lacked, which alone it tells."""
        gone = self.chatwoot.contacts.pop(number)
        stays = {name: value for name, value in self.chatwoot.contacts[into].items() if value and name != "id"}
        await self.tells(into, "contact_updated", **({name: gone[name] for name in gone if name != "id"} | stays))

    async def reconciled(self, *, dry_run: bool = False) -> dict[str, dict[str, Any]]:
        """What a reconciliation changes, by the CRM id that is gone."""
        job = await jobs.done(self.house, "/v1/reconcile", {"source_id": self.source, "dry_run": dry_run})
        changes = await jobs.changes(self.house, job)
        assert job["changed"] == len(changes) and job["done"] == job["total"]
        return {
            one["fields"]["crm_id"]["before"]: {name: both["after"] for name, both in one["fields"].items()}
            for one in changes
        }

    async def state(self) -> Any:
        """Everything that a dry run must leave alone."""
        rows = await self.house.data("/v1/contacts?q=an") + await self.house.data("/v1/orders")
        return rows + await self.house.data("/v1/possible-duplicates")


@pytest.fixture
def chatwoot() -> Iterator[Chatwoot]:
    with respx.mock(assert_all_called=False) as router:
        yield Chatwoot(router)


@pytest.fixture
async def crm(house: House, chatwoot: Chatwoot) -> Crm:
    source = await house.source("chatwoot", key="made-up-token", options={"address": ADDRESS, "account": 3})
    made = Crm(house, source, chatwoot)
    await made.tells(1, email="alive@example.com", name="Bea Prado")
    return made


MERGED = [
    ({"email": "ana@example.com"}, {"phone_number": "+5511912345678"}),
    ({"phone_number": "+5215512345678"}, {"email": "ana@example.com"}),
    ({"email": "ana@example.com", "phone_number": "+5511912345678"}, {}),
]


@pytest.mark.parametrize(("gone", "stays"), MERGED)
async def test_a_contact_that_was_merged_there_is_merged_here(
    house: House, crm: Crm, gone: dict[str, Any], stays: dict[str, Any]
) -> None:
    shop = await house.source()
    await crm.tells(42, **gone)
    await crm.tells(43, **stays)
    phone = {"phone": gone.get("phone_number")}
    await house.deliver(shop, order_event(contact={"name": "Ana Souza", "email": gone.get("email"), **phone}))
    survivor, orphan = await house.get("/v1/contacts/43"), await house.get("/v1/contacts/42")
    await crm.merges(42, 43)
    before = await crm.state()
    shown = await crm.reconciled(dry_run=True)
    assert await crm.state() == before
    word = "e-mail" if "email" in gone else "phone"
    expected = {"crm_id": "43", "merged_into": survivor["id"], "why": f"its {word} is on the contact 43 there"}
    assert shown == {"42": expected}
    assert await crm.reconciled() == shown
    for known in ("42", "43", orphan["id"]):  # the old ids answer as the survivor
        assert (await house.get(f"/v1/contacts/{known}"))["id"] == survivor["id"]
        assert [one["external_id"] for one in await house.data(f"/v1/contacts/{known}/orders")] == ["1001"]
    [found] = await house.data("/v1/contacts?crm_id=42")  # as the panel asks
    assert (found["id"], found["crm_id"]) == (survivor["id"], "43")
    assert await house.data("/v1/possible-duplicates") == []
    assert await crm.reconciled() == {}
    # Undone, everything is where it was.
    assert (await house.call("POST", f"/v1/contacts/{orphan['id']}/unmerge", {})).status_code == 200
    again = await house.get("/v1/contacts/42")
    assert (again["id"], again["crm_id"]) == (orphan["id"], "42")
    assert len(await house.data("/v1/contacts/42/orders")) == 1


async def test_a_contact_that_was_deleted_there_loses_its_crm_id(house: House, crm: Crm) -> None:
    shop = await house.source()
    await crm.tells(42, email="ana@example.com")
    await house.deliver(shop, order_event())
    del crm.chatwoot.contacts[42]
    before = await crm.state()
    shown = await crm.reconciled(dry_run=True)
    assert shown == {"42": {"crm_id": None, "why": "no contact there has its e-mail or phone"}}
    assert await crm.state() == before
    assert await crm.reconciled() == shown
    assert (await house.call("GET", "/v1/contacts/42")).status_code == 404
    [job, _] = await house.data("/v1/jobs")
    [order] = await house.data("/v1/orders")
    # Whoever is made anew there with the same e-mail takes the contact over.
    await crm.tells(99, email="ana@example.com")
    [moved] = await house.data("/v1/contacts/99/orders")
    assert moved["contact_id"] == order["contact_id"]
    # Erased, no copy of an id stays in a diff.
    assert len(await jobs.changes(house, job)) == 1
    assert (await house.call("DELETE", "/v1/contacts/99")).status_code == 200
    assert await jobs.changes(house, job) == []


async def test_a_contact_that_stays_and_was_never_told_takes_over(house: House, crm: Crm) -> None:
    await crm.tells(42, email="ana@example.com")
    orphan = await house.get("/v1/contacts/42")
    crm.chatwoot.contacts[77] = {"id": 77, "name": "Ana S.", "email": "ana@example.com", "phone_number": None}
    del crm.chatwoot.contacts[42]
    why = "its e-mail is on the contact 77 there"
    assert await crm.reconciled(dry_run=True) == await crm.reconciled() == {"42": {"crm_id": "77", "why": why}}
    for known in ("42", "77"):
        found = await house.get(f"/v1/contacts/{known}")
        assert (found["id"], found["crm_id"]) == (orphan["id"], "77")


@pytest.mark.parametrize("against", ["cpf", "kept apart", "e-mail"])
async def test_what_speaks_against_it_keeps_them_apart(house: House, crm: Crm, against: str) -> None:
    cpfs = [{"custom_attributes": {"cpf": one}} if against == "cpf" else {} for one in CPFS]
    emails = [{"email": f"{one}@example.com"} if against == "e-mail" else {} for one in "ab"]
    await crm.tells(42, phone_number="+5511912345678", **cpfs[0], **emails[0])
    await crm.tells(43, **cpfs[1], **emails[1])
    if against == "kept apart":
        kept = await house.call("POST", "/v1/contacts/42/keep-apart", {"other": "43"})
        assert kept.status_code == 200
    await crm.merges(42, 43)
    orphan, survivor = await house.get("/v1/contacts/42"), await house.get("/v1/contacts/43")
    found = await crm.reconciled()
    assert found["42"]["crm_id"] is None and "merged_into" not in found["42"]
    assert "phone is on the contact 43 there, but something speaks against" in found["42"]["why"]
    assert (await house.get(f"/v1/contacts/{orphan['id']}"))["crm_id"] is None
    sharing = await house.data("/v1/contacts?phone=%2B5511912345678")  # it stays both's
    assert {one["id"] for one in sharing} == {orphan["id"], survivor["id"]}
    pairs = await house.data("/v1/possible-duplicates")
    assert bool(pairs) == (against != "kept apart")


async def test_a_member_merged_them_the_other_way_round(house: House, crm: Crm) -> None:
    await crm.tells(42, email="ana@example.com")
    await crm.tells(43, phone_number="+5511912345678")
    await house.call("POST", "/v1/contacts/42/merge", {"into": "43"})
    await crm.merges(43, 42)
    assert (await crm.reconciled())["43"]["crm_id"] == "42"
    for known in ("42", "43"):
        assert (await house.get(f"/v1/contacts/{known}"))["crm_id"] == "42"


async def test_nothing_is_changed_when_the_api_shows_none_of_ours(house: House, crm: Crm) -> None:
    await crm.tells(42, email="ana@example.com")
    await house.call("PATCH", f"/v1/sources/{crm.source}", {"options": {"address": ADDRESS, "account": 4}})
    job = await jobs.ended(house, await jobs.begun(house, "/v1/reconcile", {"source_id": crm.source}))
    assert job["state"] == "failed" and "address and account right" in job["reason"] and not job["changed"]
    assert (await house.get("/v1/contacts/42"))["crm_id"] == "42"


async def test_an_api_that_answers_404_to_everything_in_between_costs_nothing(house: House, crm: Crm) -> None:
    await crm.tells(42, email="ana@example.com")
    crm.chatwoot.answers = [
        200,
        404,
        404,
    ]  # one is there; then one seems to be gone, and so does the one that was there
    assert await crm.reconciled() == {}
    assert (await house.get("/v1/contacts/42"))["crm_id"] == "42"


@pytest.mark.tuned(job_asks_again=(0.01, 45.0))
@pytest.mark.parametrize(("status", "state"), [(401, "failed"), (503, "done"), (429, "done")])
async def test_what_else_the_api_answers(house: House, crm: Crm, status: int, state: str) -> None:
    await crm.tells(42, email="ana@example.com")
    del crm.chatwoot.contacts[42]
    crm.chatwoot.answers = [status]
    job = await jobs.ended(house, await jobs.begun(house, "/v1/reconcile", {"source_id": crm.source}))
    assert (job["state"], job["changed"]) == (state, int(state == "done"))
    assert state == "done" or "refused by the source (HTTP 401)" in job["reason"]


@pytest.mark.tuned(reconcile_at_once=2)
async def test_it_goes_on_where_it_was_page_by_page(house: House, crm: Crm) -> None:
    for number in range(2, 12):
        await crm.tells(number, email=f"p{number}@example.com")
    for number in (4, 5, 11):
        del crm.chatwoot.contacts[number]
    assert set(await crm.reconciled()) == {"4", "5", "11"}
    assert len(crm.chatwoot.asked) < 30


@pytest.mark.tuned(job_stop_within=0.01, reconcile_at_once=1)
async def test_a_stop_does_not_wait_for_an_api_that_hangs_and_the_job_goes_on_afterwards(
    house: House, crm: Crm
) -> None:
    for number in (2, 3):
        await crm.tells(number)
    del crm.chatwoot.contacts[1]
    crm.chatwoot.hangs = hangs = asyncio.Event()
    service = house.service

    def expire() -> Plan[None]:
        yield Sql("UPDATE jobs SET claimed_until = 0")

    begun = await jobs.begun(house, "/v1/reconcile", {"source_id": crm.source})
    await asyncio.wait_for(hangs.wait(), 15)
    await service.jobs.stop()
    stopped = await house.get(f"/v1/jobs/{begun}")
    assert (stopped["state"], stopped["done"]) == ("running", 1)
    crm.chatwoot.hangs = None
    asked = len(crm.chatwoot.asked)
    service.jobs = anew(service)
    await service.store.commit(expire)  # as a minute later
    service.jobs.loop.start(service.tuning)
    job = await jobs.ended(house, begun)
    assert (job["state"], job["done"], job["changed"]) == ("done", 3, 1)
    assert crm.chatwoot.asked[asked:] == ["2", "3"]  # nobody is asked for twice


async def test_ids_that_are_no_chatwoot_ids_are_left_alone(house: House, crm: Crm) -> None:
    await house.call("PUT", "/v1/contacts/hubspot-7", {"name": "Carla Reis"})
    job = await jobs.done(house, "/v1/reconcile", {"source_id": crm.source})
    assert job["failures"] == [{"reason": reconcile.NOT_ITS_ID, "count": 1}] and job["changed"] == 0
    assert (await house.get("/v1/contacts/hubspot-7"))["crm_id"] == "hubspot-7"


async def test_of_two_chatwoots_each_is_asked_for_its_own(house: House, crm: Crm) -> None:
    other = await house.source("chatwoot")
    await house.deliver(other, contact(500, email="z@example.com"))
    assert await crm.reconciled() == {}
    assert "500" not in crm.chatwoot.asked
    assert (await house.get("/v1/contacts/500"))["crm_id"] == "500"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"key": "made-up-token"}, "lacks options"),
        ({"options": {"account": 3}}, "has no key yet"),
    ],
)
async def test_what_it_needs_is_said(house: House, given: dict[str, Any], field: str) -> None:
    source = await house.source("chatwoot", **given)
    answer = await house.call("POST", "/v1/reconcile", {"source_id": source})
    assert answer.status_code == 422 and field in answer.json()["errors"][0]["message"], answer.text
    shop = await house.source()
    assert (await house.call("POST", "/v1/reconcile", {"source_id": shop})).status_code == 422
    assert (await house.call("POST", "/v1/reconcile", {"source_id": "src_nobody"})).status_code == 404


async def test_who_may_begin_and_stop_it(house: House, crm: Crm) -> None:
    begun = await jobs.begun(house, "/v1/reconcile", {"source_id": crm.source})
    await jobs.ended(house, begun)
    for role in ("manager", "integrator", "ops"):
        token = await house.token_of(role)
        answer = await house.call("POST", "/v1/reconcile", {"source_id": crm.source}, token=token)
        assert answer.status_code == 403, role
    token = await house.token_of("ops")
    assert (await house.call("POST", f"/v1/jobs/{begun}/stop", {}, token=token)).status_code == 403


@pytest.mark.parametrize("address", ["https://127.0.0.1", "https://169.254.169.254", "http://93.184.215.14"])
async def test_no_address_inside_is_asked(house: House, address: str) -> None:
    source = await house.source("chatwoot", key="made-up-token", options={"address": address, "account": 3})
    await house.deliver(source, contact(42, email="ana@example.com"))
    with respx.mock(assert_all_called=False) as router:
        job = await jobs.ended(house, await jobs.begun(house, "/v1/reconcile", {"source_id": source}))
        assert not router.calls
    assert job["state"] == "failed" and "not public" in job["reason"]
    checked = (await house.call("POST", f"/v1/sources/{source}/check", {})).json()
    assert "not public" in checked["key"]["words"]


async def test_the_key_is_checked(house: House, crm: Crm) -> None:
    checked = (await house.call("POST", f"/v1/sources/{crm.source}/check", {})).json()
    assert (checked["key"]["needed"], checked["key"]["accepted"]) == (False, True)


async def test_a_name_is_connected_to_by_the_address_that_was_checked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    really = loop.getaddrinfo

    async def look_up(host: str, port: int, **more: Any) -> Any:
        if host == "chat.example.com":
            return [(0, 0, 0, "", ("93.184.215.14", port))]
        return await really(host, port, **more)

    monkeypatch.setattr(loop, "getaddrinfo", look_up)
    options = {"address": "https://chat.example.com", "account": 3}
    source = await house.source("chatwoot", key="made-up-token", options=options)
    with respx.mock() as router:
        route = router.get(f"{ADDRESS}/api/v1/accounts/3/contacts/1").respond(json={"payload": {"id": 1}})
        assert (await house.call("POST", f"/v1/sources/{source}/check", {})).json()["key"]["accepted"] is True
    [call] = route.calls
    assert call.request.headers["host"] == "chat.example.com"
    assert call.request.headers["connection"] == "close"  # else the next name at this address would use it unchecked
    assert call.request.extensions["sni_hostname"] == "chat.example.com"


async def test_a_contact_that_changed_meanwhile_is_left_alone(house: House, crm: Crm) -> None:
    await crm.tells(42, email="ana@example.com")
    found = await house.get("/v1/contacts/42")
    store = house.service.store
    mended = await store.commit(lambda: crm_reconciliation.mend(house.account_id, found["id"], "41", None, crm.source))
    assert mended is None and (await house.get("/v1/contacts/42"))["crm_id"] == "42"
