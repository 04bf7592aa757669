"""README's two pictures: `python -m tests.pictures` writes docs/images/console.png and docs/images/demo.svg.

`console.png` is the overview of the console, taken by Debian's Chromium of the scene in `tests/console`.
`demo.svg` is what `orders-registry demo --once` wrote to a terminal, drawn by rich.
"""

import asyncio
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Playwright, expect, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from app.base.settings import Settings, read_settings
from app.db.migrate import migrate
from tests.console.conftest import CHROMIUM, sign_in
from tests.console.scene import play
from tests.console.serving import served

FOLDER = Path(__file__).parents[1] / "docs" / "images"
MOST_BYTES = 150_000
CONSOLE_SIZE = {"width": 1180, "height": 1010}
CONSOLE_PAGE = ""  # the overview
COLUMNS = 112
# rich's own frame without its web font: GitHub shows no picture that asks another server.
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g></g></svg>
"""


def console_picture() -> bytes:
    """Return a PNG of the console's overview."""
    with tempfile.TemporaryDirectory() as name:
        token = asyncio.run(_scene(read_settings(database_url=f"sqlite:///{name}/orders.db")))
        with served(Path(name)) as address, sync_playwright() as running:
            return _page(running, address, token)


async def _scene(settings: Settings) -> str:
    await migrate(settings)
    return (await play(settings, orders=420, mischief=False)).tokens["admin"]


def _page(running: Playwright, address: str, token: str) -> bytes:
    browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    page = browser.new_page(
        viewport=CONSOLE_SIZE,  # type: ignore[arg-type]  # a size
        locale="en-GB",
        timezone_id="America/Sao_Paulo",
        color_scheme="light",
    )
    page.goto(f"{address}/console")
    sign_in(page, token)
    page.goto(f"{address}/console/{CONSOLE_PAGE}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("[aria-busy]")).to_have_count(0)
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    content = page.screenshot()
    browser.close()
    return content


def terminal_output(*command: str) -> str:
    """Run the command on a terminal of its own, and return all that it wrote, colours included. Raises when it fails."""
    ours, its = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": "50", "TERM": "xterm-256color"}
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment) as running:
        os.close(its)
        written = bytearray()
        try:
            while part := os.read(ours, 65536):
                written += part
        except OSError:  # Linux says so when the last writer is gone
            pass
        os.close(ours)
    if running.returncode:
        raise RuntimeError(f"{' '.join(command)}: {written.decode()}")
    return written.decode().replace("\r\n", "\n")


def demo_picture() -> str:
    """Return an SVG of the demonstration's output."""
    text = terminal_output(sys.executable, "-m", "app.cli", "demo", "--once")
    drawn = Console(record=True, width=COLUMNS, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # for the process's life
    drawn.print(Text.from_ansi(text.strip("\n")))
    return drawn.export_svg(title="make demo", theme=MONOKAI, code_format=SVG, unique_id="demo")


def main() -> None:
    """Take both pictures, and write them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in (("console.png", console_picture()), ("demo.svg", demo_picture().encode())):
        if len(content) > MOST_BYTES:
            raise ValueError(f"{name}: {len(content)} bytes are too many for the repository")
        (FOLDER / name).write_bytes(content)
        sys.stdout.write(f"{name}: {len(content)} bytes\n")


if __name__ == "__main__":
    main()
