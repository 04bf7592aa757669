"""Pictures of every page, in both themes, of the scene: `python -m tests.console.screenshots` writes docs/console/*.webp.

Needs Debian's Chromium. The pictures are small: WebP, as the browser itself writes it.
"""

import asyncio
import base64
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from app.base.settings import read_settings
from app.db.migrate import migrate
from tests.console.conftest import CHROMIUM, sign_in
from tests.console.scene import Scene, play
from tests.console.serving import served

FOLDER = Path(__file__).parents[2] / "docs" / "console"
MOST_BYTES = 150_000
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
# Name, address, size, and whether all of the page is in the picture.
PAGES = (
    ("overview", "", WIDE, True),
    ("deliveries", "deliveries", WIDE, False),
    ("delivery", "deliveries/{updated}", WIDE, False),
    ("sources", "sources", WIDE, False),
    ("source", "sources/{standard}", WIDE, False),
    ("source-new", "sources/new", WIDE, False),
    ("source-add", "sources/new?adapter=mercadopago", WIDE, False),
    ("contacts", "contacts", WIDE, False),
    ("contact", "contacts/41", WIDE, False),
    ("orders", "orders", WIDE, False),
    ("order-new", "orders/new?contact=41", WIDE, False),
    ("settings", "settings", WIDE, False),
    ("overview-phone", "", PHONE, False),
    ("deliveries-phone", "deliveries", PHONE, False),
    ("contact-phone", "contacts/41", PHONE, False),
)


def take(page: Page, name: str, *, whole: bool = False) -> None:
    """A picture of the page as it stands, once it is quiet."""
    expect(page.locator("[aria-busy]")).to_have_count(0)
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    asked: dict[str, object] = {"format": "webp", "quality": 82}
    if whole:
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": page.viewport_size["width"] if page.viewport_size else 1280, "height": height})
    content = base64.b64decode(page.context.new_cdp_session(page).send("Page.captureScreenshot", asked)["data"])
    if len(content) > MOST_BYTES:
        raise ValueError(f"{name}: {len(content)} bytes are too many for the repository")
    (FOLDER / f"{name}.webp").write_bytes(content)
    sys.stdout.write(f"{name}: {len(content)} bytes\n")


def all_of(address: str, scene: Scene) -> None:
    """Every picture."""
    ids = {**scene.deliveries, **scene.sources}
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            context = browser.new_context(
                color_scheme=theme,
                locale="en-GB",
                timezone_id="America/Sao_Paulo",
                viewport=WIDE,  # type: ignore[arg-type]  # one of two words; a size
            )
            page = context.new_page()
            page.goto(f"{address}/console")
            expect(page.get_by_label("Token")).to_be_visible()
            take(page, f"sign-in-{theme}")
            sign_in(page, scene.tokens["admin"])
            for name, path, size, whole in PAGES:
                page.set_viewport_size(size)  # type: ignore[arg-type]  # as above
                page.goto(f"{address}/console/{path.format(**ids)}")
                expect(page.get_by_role("heading", level=1)).to_be_visible()
                take(page, f"{name}-{theme}", whole=whole)
            page.set_viewport_size({"width": 560, "height": 860})
            page.goto(f"{address}/console/panel?account={scene.account_id}&contact=41")
            expect(page.get_by_role("heading", level=1)).to_have_text("Ana Souza")
            take(page, f"panel-{theme}")
            context.close()
        browser.close()


def main() -> None:
    """Plays the scene, serves it, and takes the pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        settings = read_settings(database_url=f"sqlite:///{name}/orders.db")
        asyncio.run(migrate(settings))
        scene = asyncio.run(play(settings, orders=420, mischief=False))
        with served(Path(name)) as address:
            all_of(address, scene)


if __name__ == "__main__":
    main()
