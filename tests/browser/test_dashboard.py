"""The dashboard, as people see and use it."""

import asyncio
import csv
import gzip
import io
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from simulator import Fault, OpenAiApi, Service, SubnetGateway
from simulator.server import background
from spillway.adapters.sqlite_redemptions import SqliteRedemptions
from spillway.adapters.sqlite_store import SqliteStore
from spillway.domain.deposit import Funds, Outlook
from spillway.domain.redemptions import Decorations
from spillway.domain.trail import Trail
from spillway.ports.redemptions import Cursor
from support.browser import DESKTOP, PHONE, findings, tab
from support.front_door import command, hosted_routes
from support.redemptions import block_hash, finding, made
from support.tickets import SENDER

MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
EVIL = "<img src=x onerror=document.title='robbed'>"
# Says so when the server has sent figures that the part under the cursor does not show yet.
TELL_OF_NEWS = """() => {
  const shown = document.querySelector('#pipelines td').textContent;
  source.addEventListener('section', (event) => {
    const { id, html } = JSON.parse(event.data);
    if (id === 'pipelines' && !html.includes(`<td>${shown}</td>`)) setTimeout(() => console.log('seen'));
  });
}"""
VIEWS = ("1h", "6h", "24h", "7d", "30d", "90d")


@pytest.fixture(scope="module")
def subnet() -> Iterator[SubnetGateway]:
    gateway = SubnetGateway(slots=4, service={"text-to-image": Service(0.05)}, refusal_s=0.05)
    with background(gateway):
        yield gateway


@pytest.fixture(scope="module")
def url(subnet: SubnetGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("dashboard")
    hosted = OpenAiApi(service_s=0.05)
    with background(hosted):
        # Playwright has an event loop of its own in this thread.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(redeem(directory / "state.db"))).result()
        with command(
            SPILLWAY_SUBNET_URL=subnet.url,
            SPILLWAY_ROUTES=hosted_routes(directory, hosted.url),
            SPILLWAY_ARTIFACTS=f"file://{directory / 'artifacts'}",
            SPILLWAY_STATE=f"sqlite:///{directory / 'state.db'}",
            SPILLWAY_FALLBACK_USD_PER_DAY="5",
        ) as serving:
            for prefer in ("subnet", "subnet", "fallback"):
                ask(serving, prefer)
            yield serving


async def redeem(state: Path) -> None:
    """Three tickets were redeemed in the last hour, by an orchestrator with a strange name; a large one days ago."""
    store = SqliteRedemptions(state)
    found = [
        made(number, timestamp=int(time.time()) - 60 * number, decorations=Decorations(recipient_name=EVIL))
        for number in range(1, 4)
    ]
    found.append(made(4, timestamp=int(time.time()) - 3 * 86_400, amount_wei=10**17))
    await store.write("scan", Cursor(Trail(1).passed(4, block_hash(4))), [finding(one) for one in found])
    await store.close()
    documents = SqliteStore(state)
    outlook = Outlook(SENDER, int(time.time()), Funds(5 * 10**17, 10**17), 7 * 10**16)
    await documents.write("deposits", SENDER, outlook.body())
    await documents.close()


def ask(url: str, prefer: str = "auto", model: str = "m") -> httpx.Response:
    body = {"prompt": "an otter", "model_id": model}
    return httpx.post(f"{url}/text-to-image", json=body, headers={"x-spillway-prefer": prefer}, timeout=30)


def big(page: Page, title: str) -> str:
    return page.locator(".figures > div", has_text=title).locator(".big").inner_text()


def test_the_figures_are_those_of_the_requests(browser: Browser, url: str) -> None:
    with tab(browser, url) as page:
        page.goto("/?range=1h")
        assert big(page, "Share of the subnet") == "66.7 %"
        assert big(page, "Requests that were answered") == "100.0 %"
        assert big(page, "Hosted spend") == "$0.0400"
        assert page.locator(".figures", has_text="$0.1200 without the subnet").count() == 1
        row = page.locator("#pipelines tbody tr").first.inner_text()
        assert re.match(r"text-to-image\s+3\s+66\.7 %", row)


def test_redeemed_tickets_are_summed_and_shown(browser: Browser, url: str) -> None:
    with tab(browser, url) as page:
        page.goto("/?range=24h")
        part = page.locator("#redemptions")
        expect(part).to_contain_text("3 in 24h: 0.0015 ETH paid to 1 orchestrator.")
        rows = part.locator("section", has_text="Winning tickets").locator("tbody tr")
        assert rows.count() == 4
        assert rows.first.locator("td").nth(1).inner_text() == EVIL
        days = part.locator("figure", has_text="ETH a day")
        assert "0.1" in days.locator("text").all_text_contents(), "the days of the week are there, whatever the view"
        deposit = part.locator("section", has_text="deposits").locator("tbody tr")
        *figures, looked_at = deposit.locator("td").all_inner_texts()
        assert figures == ["0.5", "0.1", "0.07", "50.0 days"]
        assert re.fullmatch(MOMENT, looked_at)
        assert all(re.fullmatch(MOMENT, row.locator("td").first.inner_text()) for row in rows.all())


def test_news_arrive_without_a_reload(browser: Browser, url: str) -> None:
    with tab(browser, url) as page:
        page.goto("/?range=1h")
        expect(page.locator("#live")).to_have_text("live")
        before = page.locator("#pipelines tbody tr").first.inner_text()
        assert ask(url, "subnet").status_code == 200
        expect(page.locator("#pipelines tbody tr").first).not_to_have_text(before, timeout=15_000)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_and_can_be_read(browser: Browser, url: str, size: dict[str, int], scheme: str) -> None:
    with tab(browser, url, viewport=size, color_scheme=scheme, reduced_motion="reduce") as page:
        for view in VIEWS:
            page.goto(f"/?range={view}")
            assert page.locator("nav a[aria-current]").inner_text() == view
            assert page.locator("#charts figure svg").count() == 4
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert findings(page) == []


def test_it_is_used_by_keyboard_alone(browser: Browser, url: str) -> None:
    with tab(browser, url) as page:
        page.goto("/?range=24h")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
        for _ in range(2):
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "1h"
        page.keyboard.press("Enter")
        page.wait_for_url("**range=1h")
        page.locator("#pipelines tbody a").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**pipeline=text-to-image")
        expect(page.locator("#charts-title")).to_contain_text("text-to-image, 1h")


def test_what_others_have_written_stays_words(browser: Browser, url: str, subnet: SubnetGateway) -> None:
    assert ask(url, "subnet", model=EVIL).status_code in (200, 502, 503)
    with tab(browser, url) as page:
        page.goto("/?range=1h")
        expect(page.locator("#policy")).to_contain_text(EVIL)
        expect(page.locator("#live")).to_have_text("live")
        assert page.title().startswith("Spillway")
        assert page.locator("main img").count() == 0
    refused = httpx.get(f"{url}/", params={"range": EVIL})
    assert refused.status_code == 400
    assert "text/html" not in refused.headers["content-type"]


def test_errors_of_backends_are_told_with_their_time(browser: Browser, url: str, subnet: SubnetGateway) -> None:
    subnet.faults.add(Fault("status", status=500, times=1))
    ask(url, "subnet")
    with tab(browser, url) as page:
        page.goto("/?range=1h")
        at, *told = page.locator("#errors tbody tr").first.locator("td").all_inner_texts()
        assert re.fullmatch(MOMENT, at)
        assert told == ["text-to-image", "subnet", "failed", "the gateway failed (500)"]


def test_a_stream_that_fails_is_taken_up_again(browser: Browser, url: str) -> None:
    with tab(browser, url, said=[]) as page:
        page.route("**/api/dashboard/events*", lambda route: route.abort("connectionreset"))
        page.goto("/?range=1h")
        expect(page.locator("#live")).to_have_text("reconnecting")
        page.unroute("**/api/dashboard/events*")
        before = page.locator("#pipelines tbody tr").first.inner_text()
        ask(url, "subnet")
        expect(page.locator("#live")).to_have_text("live", timeout=20_000)
        expect(page.locator("#pipelines tbody tr").first).not_to_have_text(before, timeout=20_000)


def test_every_view_is_a_table_too(url: str) -> None:
    answer = httpx.get(f"{url}/api/history", params={"range": "1h", "format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sum(int(row["requests"]) for row in rows if row["pipeline"] == "text-to-image") >= 3


def test_every_chart_has_its_table(browser: Browser, url: str) -> None:
    with tab(browser, url) as page:
        page.goto("/?range=1h&pipeline=text-to-image")
        links = page.locator("figcaption a").evaluate_all("all => all.map(one => one.href)")
    assert len(links) == 5
    *views, days = (list(csv.DictReader(io.StringIO(httpx.get(link).raise_for_status().text))) for link in links)
    for rows in views:
        assert {row["pipeline"] for row in rows} == {"text-to-image"}
        assert all(float(row["subnet_p50"]) <= float(row["subnet_p95"]) for row in rows if row["subnet_p50"])
        assert any(row["fallback_p99"] for row in rows)
    assert sum(int(row["count"]) for row in days) == 4
    refused = httpx.get(f"{url}/api/history", params={"pipeline": "text-to-nothing"})
    assert refused.status_code == 400


def test_what_came_while_a_part_was_read_is_shown_when_it_is_left(browser: Browser, url: str) -> None:
    with tab(browser, url) as page:
        page.goto("/?range=1h")
        expect(page.locator("#live")).to_have_text("live")
        page.locator("#pipelines tbody a").first.focus()
        row = page.locator("#pipelines tbody tr").first
        before = row.inner_text()
        with page.expect_event("console", lambda said: said.text == "seen"):
            page.evaluate(TELL_OF_NEWS)
            ask(url, "subnet")
        assert row.inner_text() == before
        page.evaluate("document.activeElement.blur()")
        expect(row).not_to_have_text(before, timeout=1000)


def test_the_page_is_small_and_brings_all_it_needs(url: str, tmp_path: Path) -> None:
    page = httpx.get(f"{url}/?range=90d")
    loaded = [page, *(httpx.get(f"{url}/assets/{name}") for name in ("dashboard.css", "dashboard.js"))]
    assert all(answer.status_code == 200 for answer in loaded)
    assert sum(len(gzip.compress(answer.content)) for answer in loaded) < 200_000
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert re.findall(r"(?:src|href)=\"(https?:)?//", page.text) == []
