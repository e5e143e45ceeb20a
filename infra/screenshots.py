"""Writes the README's pictures: the dashboard and the GIF competition, late on a day of `spillway demo`.

    python infra/screenshots.py [--into docs/images] [--seconds 600]

Needs Debian's Chromium (apt-get install chromium).
"""

import argparse
import asyncio
import io
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright, expect

from simulator import competition
from spillway.cli.demo_stage import HOST, listening, stage

INTO = Path(__file__).parents[1] / "docs/images"
SIZE = {"width": 1180, "height": 1180}
# When most people are there; the day's curve has its top at 19:00.
EVENING = 0.8
LARGEST = 250_000
PROMPT = "a paper boat under northern lights"
MINUTE_MS = 60_000
MOVED_S = 4.0


async def main(into: Path, seconds: float) -> None:
    """Play a day, and look at it in the evening."""
    listener = listening(0)
    day = competition.Day(seconds, f"http://{HOST}:{listener.getsockname()[1]}")
    async with stage(competition, day, listener), day.open(), chromium() as browser, asyncio.TaskGroup() as group:
        playing = group.create_task(day.play())
        await asyncio.sleep(seconds * EVENING)
        for name, view in (("dashboard", dashboard), ("gif", gif)):
            write(await (await view(browser, day.url)).screenshot(), into / f"{name}.png")
        playing.cancel()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's, as the tests drive it."""
    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("there is no Chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


async def dashboard(browser: Browser, url: str) -> Page:
    """The last hour."""
    page = await browser.new_page(base_url=url, viewport=SIZE, color_scheme="light")
    await page.goto("/?range=1h")
    return page


async def gif(browser: Browser, url: str) -> Page:
    """The gallery, with one more GIF in the making."""
    page = await browser.new_page(base_url=url, viewport=SIZE, color_scheme="light")
    await page.goto("/gif")
    await page.get_by_label("What should it show?").fill(PROMPT)
    await page.get_by_label("Your name").fill("Radia")
    await page.get_by_role("button", name="Make a GIF").click()
    # A video in the making has one of the bars half full.
    made = page.locator("[data-step=video] .how")
    await expect(made).to_contain_text("is made by", timeout=2 * MINUTE_MS)
    await asyncio.sleep(MOVED_S)
    return page


def write(picture: bytes, path: Path) -> None:
    """As small as it can be written. Ends the command where that is too large for a README."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(picture)) as seen:
        seen.convert("RGB").save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than {LARGEST}")
    print(f"{path}: {path.stat().st_size:,} bytes")  # noqa: T201 (a command that tells what it has written)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=INTO)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long the day takes")
    asked = parser.parse_args()
    asyncio.run(main(asked.into, asked.seconds))
