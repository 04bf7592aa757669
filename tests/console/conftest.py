"""A real server, and Debian's Chromium before it. Where a browser is missing, the run says what it left out; in CI it fails."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, sync_playwright

from app.base.settings import read_settings
from app.db.migrate import migrate
from tests.console import axe
from tests.console.scene import Scene, play
from tests.console.serving import served

CHROMIUM = "/usr/bin/chromium"
NEEDS_AXE = "test_accessibility.py"
HERE = Path(__file__).parent
IN_CI = os.environ.get("CI", "") not in ("", "0", "false")


def left_out() -> dict[str, str]:
    """What cannot be tested on this machine, and why: by the beginning of the test's path."""
    if not Path(CHROMIUM).exists():
        return {str(HERE): f"no Chromium at {CHROMIUM} (Debian: apt-get install chromium)"}
    if not axe.FILE.exists():
        return {str(HERE / NEEDS_AXE): "no axe-core (python -m tests.console.axe fetches it from npm)"}
    return {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    gone = [item for item in items if any(str(item.path).startswith(where) for where in left_out())]
    if gone and IN_CI:
        raise pytest.UsageError(f"the console's tests must run here: {'; '.join(left_out().values())}")
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for where, why in left_out().items():
        terminalreporter.write_line(f"LEFT OUT: {Path(where).relative_to(HERE.parents[1])}: {why}")


@pytest.fixture(scope="package")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scene]:
    """The scene, made once: the folder with its database and key."""
    folder = tmp_path_factory.mktemp("scene")
    settings = read_settings(database_url=f"sqlite:///{folder}/orders.db")

    async def made() -> Scene:
        await migrate(settings)
        return await play(settings)

    with ThreadPoolExecutor(max_workers=1) as thread:  # the browser's own loop may be running in this one
        return folder, thread.submit(asyncio.run, made()).result()


@dataclass
class Shop:
    """A served registry with the scene in it."""

    address: str
    scene: Scene
    signed_in: dict[str, Any] = field(default_factory=dict)  # a browser's cookie and choices, by role

    def api(self, role: str = "admin") -> httpx.Client:
        """The API, as this role's token."""
        return httpx.Client(
            base_url=self.address, headers={"Authorization": f"Bearer {self.scene.tokens[role]}"}, trust_env=False
        )


@pytest.fixture(scope="module")
def shop(played: tuple[Path, Scene], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The scene in a database of the module's own, served."""
    source, scene = played
    folder = tmp_path_factory.mktemp("shop")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    with served(folder) as address:
        yield Shop(address, scene)


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    running = playwright.chromium.launch(executable_path=CHROMIUM, args=as_root)
    yield running
    running.close()


@dataclass
class Watch:
    """What no page may do: say an error, break the policy, ask another address. `expected` refusals are named by a test."""

    own: set[str]
    faults: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda fault: self.faults.append(f"an exception: {fault}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        where = str(message.location.get("url", ""))
        if message.text.startswith("Failed to load resource") and any(one in where for one in self.expected):
            return
        self.faults.append(f"{message.type}: {message.text} ({where})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and f"{parts.scheme}://{parts.netloc}" not in self.own:
            self.faults.append(f"a request to another address: {request.url}")


@pytest.fixture
def watch(shop: Shop) -> Iterator[Watch]:
    watching = Watch({shop.address})
    yield watching
    assert not watching.faults, "\n".join(watching.faults)


Opened = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, shop: Shop, watch: Watch) -> Iterator[Opened]:
    """Opens the console in a browser of its own: signed in as a role, or (None) not."""
    contexts: list[BrowserContext] = []

    def open_(role: str | None = "admin", path: str = "", **given: Any) -> Page:
        options: dict[str, Any] = {"locale": "en-GB", "timezone_id": "America/Sao_Paulo", **given}
        known = shop.signed_in.get(role or "")
        context = browser.new_context(**options, storage_state=known)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        watch.on(page)
        page.goto(f"{shop.address}/console/{path}")
        if role is not None and known is None:
            sign_in(page, shop.scene.tokens[role])
            shop.signed_in[role] = context.storage_state()
        return page

    yield open_
    for context in contexts:
        context.close()


def sign_in(page: Page, token: str) -> None:
    """Fills in the form, and waits for the page behind it."""
    page.locator("input[name=token]").fill(token)
    page.locator("form button[type=submit]").click()
    page.locator("input[name=token]").wait_for(state="detached")  # the form has a heading as well: that says nothing
    page.locator("main h1, .panel").first.wait_for()
