"""Identities over HTTP: conflicts are reported until they are solved, an identity can be taken away, and looked up by."""

import pytest

from tests.house import House, order_event

pytestmark = pytest.mark.anyio


async def test_a_conflict_stands_until_the_contacts_are_merged(house: House) -> None:
    source = await house.source()
    await house.call("PUT", "/v1/contacts/1", {"documents": ["529.982.247-25"]})
    bia = (await house.call("PUT", "/v1/contacts/2", {"emails": ["bia@example.com"]})).json()["id"]
    assert await house.data("/v1/identity-conflicts") == []
    await house.deliver(source, order_event(contact={"email": "bia@example.com", "document": "52998224725"}))
    ana = await house.get("/v1/contacts/1")
    (conflict,) = ana["identity_conflicts"]
    assert (conflict["kind"], conflict["value"], conflict["belongs_to"], conflict["told_by"]) == (
        "email",
        "bia@example.com",
        bia,
        source,
    )
    (listed,) = await house.data("/v1/identity-conflicts")
    assert listed == {"contact_id": ana["id"], **conflict}
    await house.call("POST", "/v1/contacts/2/merge", {"into": "1"})
    assert (await house.get("/v1/contacts/1"))["identity_conflicts"] == []
    assert await house.data("/v1/identity-conflicts") == []
    await house.call("POST", "/v1/contacts/2/unmerge")
    assert len(await house.data("/v1/identity-conflicts")) == 1


async def test_an_identity_is_taken_away_and_the_other_contact_may_have_it(house: House) -> None:
    await house.call("PUT", "/v1/contacts/1", {"emails": ["x@example.com"], "phones": ["+1 415 555 2671"]})
    put = await house.call("PUT", "/v1/contacts/2", {"emails": ["x@example.com"]})
    assert [one["value"] for one in put.json()["identity_conflicts"]] == ["x@example.com"]
    gone = await house.call("DELETE", "/v1/contacts/1/identities?email=X@example.com")
    assert (gone.status_code, [one["kind"] for one in gone.json()["identities"]]) == (200, ["crm", "phone"])
    again = await house.call("PUT", "/v1/contacts/2", {"emails": ["x@example.com"]})
    assert again.json()["identity_conflicts"] == []
    assert [one["crm_id"] for one in await house.data("/v1/contacts?email=x@example.com")] == ["2"]
    for path, status in (
        ("/v1/contacts/1/identities?email=x@example.com", 404),  # it is another's by now
        ("/v1/contacts/none/identities?email=x@example.com", 404),
        ("/v1/contacts/1/identities?crm_id=1", 422),
        ("/v1/contacts/1/identities", 422),
    ):
        assert (await house.call("DELETE", path)).status_code == status, path


async def test_conflicts_are_paged_and_a_rep_does_not_see_them(house: House) -> None:
    await house.call("PUT", "/v1/contacts/0", {"emails": [f"p{number}@example.com" for number in range(5)]})
    for number in range(5):
        await house.call("PUT", f"/v1/contacts/c{number}", {"emails": [f"p{number}@example.com"], "owner_id": "rep"})
    seen, cursor = [], ""
    while True:
        page = await house.get(f"/v1/identity-conflicts?limit=2{cursor}")
        seen += [one["value"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == [f"p{number}@example.com" for number in range(5)]
    await house.call("POST", "/v1/members", {"name": "Rep", "role": "rep", "id": "rep"})
    await house.call("PATCH", "/v1/account", {"owner_privacy": True})
    mine = await house.get("/v1/contacts/c1", token=await house.token_of("rep", "rep"))
    assert mine["identity_conflicts"] == []  # the e-mail is that of a contact outside the wallet


async def test_a_plus_that_was_not_encoded_is_a_plus(house: House) -> None:
    await house.call("PUT", "/v1/contacts/1", {"phones": ["+14155552671"]})
    for text in ("%2B14155552671", "+14155552671", "%2B1 (415) 555-2671"):
        assert [one["crm_id"] for one in await house.data(f"/v1/contacts?phone={text}")] == ["1"], text
