"""A session: a token for a sealed cookie, which counts for our own pages alone and for as long as the token does."""

import json

import httpx
import pytest

from app.base import clock
from app.base.settings import Settings
from app.web.http import authentication
from tests.house import House, eventually

pytestmark = pytest.mark.anyio
OURS = {"Orders-Console": "1", "Sec-Fetch-Site": "same-origin"}


async def signed_in(house: House, token: str, **given: str) -> httpx.Response:
    house.client.cookies.clear()
    answer = await house.client.post("/v1/session", json={"token": token, **given}, headers=OURS)
    assert answer.status_code == 201, answer.text
    return answer


def cookie_of(house: House) -> str:
    (cookie,) = house.client.cookies.jar
    assert cookie.value is not None
    return cookie.value


async def test_a_session_says_who_and_what_they_may(house: House) -> None:
    await house.call("POST", "/v1/members", {"id": "m-1", "name": "Oda", "role": "ops"})
    token = await house.token_of("ops", "m-1")
    answer = await signed_in(house, token)
    said = answer.json()
    assert said["account"]["account_id"] == house.account_id and said["account"]["orders_enabled"] is True
    assert (said["member_id"], said["member_name"], said["role"], said["permissions"], said["panel"]) == (
        "m-1",
        "Oda",
        "ops",
        ["log"],
        False,
    )
    assert clock.since(said["expires_at"], 0) - clock.now() > 7 * 3600 * 1_000_000
    set_cookie = answer.headers["set-cookie"]
    assert all(word in set_cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=28800"))
    assert token not in set_cookie and "no-store" in answer.headers["cache-control"]
    assert (await house.client.get("/v1/session")).json()["permissions"] == ["log"]
    assert (await house.client.get("/v1/deliveries")).status_code == 200
    assert (await house.client.get("/v1/orders")).status_code == 403


async def test_a_bearer_may_ask_who_they_are(house: House) -> None:
    said = await house.get("/v1/session", token=await house.token_of("rep"))
    assert (said["role"], said["permissions"], said["expires_at"]) == ("rep", ["read"], None)


async def test_it_ends_with_the_token_within_a_second(house: House) -> None:
    made = (await house.call("POST", "/v1/tokens", {"role": "ops"})).json()
    await signed_in(house, made["token"])
    assert (await house.client.get("/v1/deliveries")).status_code == 200
    # Revoked in another process: this one only learns of it from the database.
    async with House(house.settings, account="another") as other:
        kept = cookie_of(house)
        revoked = await other.client.request(
            "DELETE", f"/v1/tokens/{made['id']}", headers={"Authorization": f"Bearer {house.token}"}
        )
        assert revoked.status_code == 204
        answer = await eventually(
            lambda: house.client.get("/v1/deliveries"), lambda one: one.status_code == 401, within=1.0
        )
        assert answer.json()["code"] == "unauthenticated" and kept


async def test_it_ends_by_itself(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await signed_in(house, house.token)
    later = clock.now() + authentication.LIVES * 1_000_000
    monkeypatch.setattr("app.web.http.authentication.now", lambda: later - 1_000_000)
    assert (await house.client.get("/v1/account")).status_code == 200
    monkeypatch.setattr("app.web.http.authentication.now", lambda: later + 1)
    assert (await house.client.get("/v1/account")).status_code == 401


async def test_signing_out_ends_the_session_for_whoever_has_its_cookie(house: House) -> None:
    answer = await signed_in(house, house.token)
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    house.client.cookies.clear()
    again = await signed_in(house, house.token)  # another session of the same token
    other = {"Cookie": again.headers["set-cookie"].partition(";")[0]}
    house.client.cookies.clear()
    assert (await house.client.get("/v1/session", headers=cookie)).status_code == 200
    assert (await house.client.delete("/v1/session", headers={**OURS, **cookie})).status_code == 204
    assert (await house.client.get("/v1/session", headers=cookie)).status_code == 401
    assert (await house.client.get("/v1/orders", headers=cookie)).status_code == 401
    assert (await house.client.get("/v1/session", headers=other)).status_code == 200


async def test_signing_out_takes_the_cookie_away(house: House) -> None:
    await signed_in(house, house.token)
    answer = await house.client.delete("/v1/session", headers=OURS)
    assert answer.status_code == 204 and "Max-Age=0" in answer.headers["set-cookie"]
    assert list(house.client.cookies.jar) == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Orders-Console": "1", "Sec-Fetch-Site": "cross-site"},
        {"Orders-Console": "1", "Sec-Fetch-Site": "same-site"},
        {"Orders-Console": "1", "Sec-Fetch-Site": "none"},
        {"Orders-Console": "1", "Origin": "https://evil.example"},
        {"Orders-Console": "1", "Origin": "null"},
    ],
)
async def test_no_other_page_changes_anything_with_it(house: House, headers: dict[str, str]) -> None:
    await signed_in(house, house.token)
    for method, path in (
        ("PATCH", "/v1/account"),
        ("POST", "/v1/tokens"),
        ("DELETE", "/v1/session"),
        ("POST", "/v1/session"),
    ):
        answer = await house.client.request(method, path, content=b'{"role":"admin"}', headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path)
    assert len(await house.data("/v1/tokens")) == 1


async def test_our_own_pages_do(house: House) -> None:
    await signed_in(house, house.token)
    for headers in (OURS, {"Orders-Console": "1", "Origin": "http://registry"}, {"Orders-Console": "1"}):
        answer = await house.client.patch("/v1/account", json={"owner_privacy": True}, headers=headers)
        assert answer.status_code == 200, answer.text


async def test_no_other_page_reads_with_it(house: House) -> None:
    await signed_in(house, house.token)
    for site in ("cross-site", "same-site"):
        assert (await house.client.get("/v1/account", headers={"Sec-Fetch-Site": site})).status_code == 403


async def test_a_cookie_that_is_not_ours_is_none(house: House) -> None:
    await signed_in(house, house.token)
    mine = cookie_of(house)
    vault_word = json.dumps(["something else", house.account_id, "tok", 2**60, False])
    for value in ("", "x", mine[:-4], mine[::-1], "é".encode().decode("latin-1"), "x" * 5000, vault_word):
        answer = await house.client.get("/v1/account", headers=[(b"cookie", f"orders_session={value}".encode())])
        assert answer.status_code == 401, value
    # A console's session is no panel's, and the other way round.
    house.client.cookies.clear()
    assert (await house.client.get("/v1/account", headers={"cookie": f"orders_panel={mine}"})).status_code == 401


async def test_a_token_in_the_header_goes_before_the_cookie(house: House) -> None:
    await signed_in(house, house.token)
    assert (await house.call("GET", "/v1/account", token=await house.token_of("ops"))).status_code == 403
    assert (await house.call("GET", "/v1/account", token="ort_none")).status_code == 401


async def test_wrong_tokens_are_refused(house: House) -> None:
    for body, status in (
        ({"token": "ort_none"}, 401),
        ({}, 422),
        ({"token": ""}, 422),
        ({"token": "x", "more": 1}, 422),
    ):
        answer = await house.client.post("/v1/session", json=body, headers=OURS)
        assert answer.status_code == status and "set-cookie" not in answer.headers


async def test_over_https_the_cookie_is_the_hosts_alone(settings: Settings) -> None:
    async with House(settings.model_copy(update={"public_url": "https://orders.example.com"})) as house:
        await house.call("PATCH", "/v1/account", {"panel_origins": ["https://chat.example.com"]})
        answer = await house.client.post("/v1/session", json={"token": house.token}, headers=OURS)
        said = answer.headers["set-cookie"]
        assert said.startswith("__Host-orders_session=") and "Secure" in said and "SameSite=Strict" in said
        answer = await house.client.post(
            "/v1/session", json={"token": house.token, "panel": house.account_id}, headers=OURS
        )
        said = answer.headers["set-cookie"]
        assert said.startswith("__Host-orders_panel=")
        assert all(word in said for word in ("Secure", "HttpOnly", "SameSite=None", "Partitioned"))


async def test_a_panels_session_only_reads(house: House) -> None:
    body = {"token": house.token, "panel": house.account_id}
    answer = await house.client.post("/v1/session", json=body, headers=OURS)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    await house.call("PATCH", "/v1/account", {"panel_origins": ["https://chat.example.com"]})
    answer = await signed_in(house, house.token, panel=house.account_id)
    assert (answer.json()["permissions"], answer.json()["panel"]) == (["read"], True)
    assert (await house.client.get("/v1/orders")).status_code == 200
    assert (await house.client.get("/v1/account")).status_code == 403
    assert (await house.client.post("/v1/orders", json={}, headers=OURS)).status_code == 403
    answer = await house.client.post("/v1/session", json={"token": house.token, "panel": "acc_other"}, headers=OURS)
    assert answer.json()["errors"][0]["field"] == "token"
    answer = await house.client.post(
        "/v1/session", json={"token": await house.token_of("ops"), "panel": house.account_id}, headers=OURS
    )
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("origin", "good"),
    [
        ("https://chat.example.com", True),
        ("https://chat.example.com:8443", True),
        ("http://localhost:3000", True),
        ("http://chat.example.com", False),
        ("https://chat.example.com/", False),
        ("https://*.example.com", False),
        ("https://a.example; script-src *", False),
        ("https://a.example 'self'", False),
        ("*", False),
        ("", False),
        ("https://a.example\nhttps://b.example", False),
        ("https://A.example", False),
        ("data:", False),
    ],
)
async def test_only_plain_origins_may_frame_the_panel(house: House, origin: str, good: bool) -> None:
    answer = await house.call("PATCH", "/v1/account", {"panel_origins": [origin]})
    assert (answer.status_code == 200) == good, answer.text
    assert (await house.get("/v1/account"))["panel_origins"] == ([origin] if good else [])
