"""The console's files: a strict policy on every page, frames only where the account allows them, nothing stale."""

import re
from pathlib import Path

import pytest

import app.web
from app.base.settings import Settings
from tests.house import House

pytestmark = pytest.mark.anyio
PAGES = ("/console", "/console/", "/console/deliveries/dlv_1", "/console/contacts/a.b", "/console/panel")


async def test_every_address_of_the_console_is_the_page_under_the_policy(house: House) -> None:
    for path in PAGES:
        answer = await house.client.get(path)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
        assert all(policy[name] == "'self'" for name in ("script-src", "style-src", "img-src", "connect-src"))
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers


async def test_files_come_with_their_type_and_come_again_only_when_changed(house: House) -> None:
    for path, kind in (
        ("app.js", "text/javascript"),
        ("style.css", "text/css"),
        ("icon.svg", "image/svg+xml"),
        ("pages/orders.js", "text/javascript"),
    ):
        first = await house.client.get(f"/console/assets/{path}", headers={"accept-encoding": "identity"})
        assert first.status_code == 200 and first.headers["content-type"].startswith(kind)
        assert first.headers["cache-control"] == "no-cache"
        again = await house.client.get(
            f"/console/assets/{path}", headers={"if-none-match": first.headers["etag"], "accept-encoding": "gzip"}
        )
        assert (again.status_code, again.content) == (304, b"") and again.num_bytes_downloaded == 0
        assert "content-encoding" not in again.headers and again.headers["cache-control"] == "no-cache"
        packed = await house.client.get(f"/console/assets/{path}", headers={"accept-encoding": "gzip"})
        assert packed.content == first.content
        assert ("content-encoding" in packed.headers) == (len(first.content) >= 500)


@pytest.mark.parametrize(
    "path", ["assets/none.js", "assets/../index.html", "assets/%2e%2e/%2e%2e/console_files.py", "assets/", "assets"]
)
async def test_there_is_nothing_else(house: House, path: str) -> None:
    answer = await house.client.get(f"/console/{path}")
    assert answer.status_code == 404 or answer.headers["content-type"].startswith("text/html")
    assert b"import " not in answer.content


async def test_the_panel_is_framed_by_whom_its_account_names(house: House) -> None:
    await house.call(
        "PATCH", "/v1/account", {"panel_origins": ["https://chat.example.com", "https://crm.example.com:8443"]}
    )

    async def ancestors(path: str) -> str:
        return (await house.client.get(path)).headers["content-security-policy"].rpartition("frame-ancestors ")[2]

    panel = f"/console/panel?account={house.account_id}"
    assert await ancestors(panel) == "https://chat.example.com https://crm.example.com:8443"
    for path in (
        "/console/panel",
        "/console/panel?account=acc_none",
        f"/console?account={house.account_id}",
        "/console/panel?account=%00",
    ):
        assert await ancestors(path) == "'none'", path


def test_every_file_that_the_pages_name_is_there() -> None:
    root = Path(app.web.__file__).parent / "console"
    known = {str(one.relative_to(root)): one.read_text() for one in root.rglob("*") if one.is_file()}
    for name, text in known.items():
        folder = name.rpartition("/")[0]
        for wanted in re.findall(r'from "(\.[^"]+)"', text):
            place = f"{folder}/{wanted}"
            while "/../" in place:
                place = re.sub(r"[^/]+/\.\./", "", place, count=1)
            assert place.replace("/./", "/") in known, (name, wanted)
        for wanted in re.findall(r'="/console/([^"]+)"|url\("([^"]+)"\)', text):
            assert (wanted[0] or f"{folder}/{wanted[1]}") in known, (name, wanted)


async def test_below_a_path_of_a_larger_site_the_page_names_its_files_there(settings: Settings) -> None:
    async with House(settings.model_copy(update={"public_url": "https://example.com/orders"})) as house:
        page = (await house.client.get("/console")).text
        assert 'src="/orders/console/assets/app.js"' in page
