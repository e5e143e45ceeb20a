"""The GIF competition, played in a real browser."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from simulator import Fault, Service, SubnetGateway
from simulator.server import background
from support.browser import DESKTOP, PHONE, findings, tab
from support.front_door import command

EVIL = "<img src=x onerror=document.title='robbed'>"
QUICK = {"text-to-image": Service(0.2), "image-to-video": Service(0.4)}
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def subnet() -> Iterator[SubnetGateway]:
    gateway = SubnetGateway(slots=4, service=QUICK, refusal_s=0.05)
    with background(gateway):
        yield gateway


@pytest.fixture(scope="module")
def url(subnet: SubnetGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("gif")
    with command(
        SPILLWAY_SUBNET_URL=subnet.url,
        SPILLWAY_ARTIFACTS=f"file://{directory / 'artifacts'}",
        SPILLWAY_STATE=f"sqlite:///{directory / 'state.db'}",
    ) as serving:
        yield serving


def wish(page: Page, prompt: str, name: str = "") -> None:
    page.goto("/gif")
    page.get_by_label("What should it show?").fill(prompt)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Make a GIF").click()


def entries(url: str) -> list[dict[str, object]]:
    return list(httpx.get(f"{url}/api/gif/entries").json()["entries"])


def card(page: Page, prompt: str) -> object:
    return page.locator("#gallery li", has=page.get_by_text(prompt, exact=True))


def test_a_prompt_becomes_a_gif(browser: Browser, url: str) -> None:
    with tab(browser, url) as page:
        wish(page, "an otter riding a wave", "Mia")
        expect(page.locator("[data-step=picture] .how")).to_have_text("made by subnet", timeout=MINUTE_MS)
        expect(page.locator("#said")).to_have_text("Your GIF is in the gallery.", timeout=MINUTE_MS)
        shown = card(page, "an otter riding a wave")
        expect(shown).to_contain_text("by Mia, made by subnet")
        expect(shown.locator("img")).to_have_js_property("complete", True)
        assert shown.locator("img").evaluate("image => image.naturalWidth") > 0
        with page.expect_download() as download:
            shown.locator(".download").click()
        kept = io.BytesIO(download.value.path().read_bytes())
    with Image.open(kept) as gif:
        assert (gif.format, gif.is_animated, gif.info["loop"]) == ("GIF", True, 0)
        assert gif.width <= 480
        assert 80 <= gif.info["duration"] <= 500


def test_a_reload_in_the_middle_loses_nothing(browser: Browser, url: str, subnet: SubnetGateway) -> None:
    made = subnet.by["image-to-video"].served
    with tab(browser, url, said=[]) as page:
        subnet.faults.add(Fault("extra_slow", "/image-to-video", times=1))
        wish(page, "a lighthouse that is reloaded")
        expect(page.locator("[data-step=video] .how")).to_contain_text("is made by", timeout=MINUTE_MS)
        page.reload()
        expect(page.locator("[data-step=picture] .how")).to_have_text("made by subnet", timeout=MINUTE_MS)
        expect(page.locator("#said")).to_have_text("Your GIF is in the gallery.", timeout=MINUTE_MS)
    assert [one["prompt"] for one in entries(url)].count("a lighthouse that is reloaded") == 1
    assert subnet.by["image-to-video"].served == made + 1


@pytest.mark.parametrize("path", ["text-to-image", "image-to-video", "api/gif/entries"])
def test_a_network_that_breaks_while_something_is_sent_loses_nothing(browser: Browser, url: str, path: str) -> None:
    broken: list[str] = []

    def breaks(route: Route) -> None:
        # Once on the way there, once on the way back: the second is done, and must not be done twice.
        if route.request.method != "POST" or len(broken) == 2:
            return route.continue_()
        broken.append(path)
        if len(broken) == 2:
            route.fetch()
        return route.abort("connectionreset")

    with tab(browser, url, said=[]) as page:
        page.route(f"**/{path}", breaks)
        wish(page, f"a storm at {path}")
        expect(page.locator("#said")).to_have_text("Your GIF is in the gallery.", timeout=MINUTE_MS)
    assert len(broken) == 2
    assert [one["prompt"] for one in entries(url)].count(f"a storm at {path}") == 1


def test_a_shared_link_leads_to_its_gif_even_where_the_gallery_has_moved_on(browser: Browser, url: str) -> None:
    linked = entries(url)[-1]
    with tab(browser, url, viewport=PHONE) as page:
        page.goto(f"/gif#{linked['id']}")
        expect(page.locator("#gallery .linked .prompt")).to_have_text(str(linked["prompt"]))
        expect(page.locator("#gallery .linked")).to_be_in_viewport()
    with tab(browser, url) as page:
        page.route("**/api/gif/entries?*", lambda route: route.fulfill(json={"entries": []}))
        page.goto(f"/gif#{linked['id']}")
        expect(page.locator("#gallery .linked .prompt")).to_have_text(str(linked["prompt"]))
    with tab(browser, url, said=[]) as page:
        page.goto(f"/gif#{'f' * 32}")
        expect(page.locator("#empty")).to_contain_text("not in the gallery any more")


def test_words_stay_words(browser: Browser, url: str) -> None:
    with tab(browser, url) as page:
        wish(page, EVIL, EVIL[:40])
        expect(page.locator("#said")).to_have_text("Your GIF is in the gallery.", timeout=MINUTE_MS)
        expect(card(page, EVIL)).to_be_visible()
        assert page.title() == "GIF competition"


def test_a_browser_has_one_vote_and_the_best_come_first(browser: Browser, url: str) -> None:
    with tab(browser, url, said=[]) as page:
        page.goto("/gif")
        last = page.locator("#gallery li").last
        prompt = last.locator(".prompt").inner_text()
        last.locator(".vote").click()
        expect(last.locator(".vote")).to_have_text("vote ♥ 1")
        page.reload()
        card(page, prompt).locator(".vote").click()
        told = card(page, prompt).locator(".told")
        expect(told).to_contain_text("has voted for it already")
        expect(told).to_be_visible()
        page.get_by_role("button", name="best").click()
        expect(page.locator("#gallery li").first.locator(".prompt")).to_have_text(prompt)


def test_votes_are_counted_exactly_and_not_by_the_hundred(url: str) -> None:
    entry = entries(url)[0]
    where = f"{url}/api/gif/entries/{entry['id']}/votes"
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda _: httpx.post(where, timeout=30).status_code, range(30)))
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 409, 503}
    assert max(one["votes"] for one in entries(url)) == 1


def test_what_is_not_safe_for_work_is_not_shown(browser: Browser, url: str, subnet: SubnetGateway) -> None:
    subnet.faults.add(Fault("nsfw", "/text-to-image", times=1))
    before = entries(url)
    with tab(browser, url) as page:
        wish(page, "something else")
        expect(page.locator("#said")).to_contain_text("not safe for work", timeout=MINUTE_MS)
    assert entries(url) == before


def test_an_operator_takes_an_entry_away(url: str) -> None:
    first, *others = entries(url)
    assert httpx.delete(f"{url}/api/gif/entries/{first['id']}").status_code == 204
    assert entries(url) == others
    assert httpx.get(f"{url}/api/gif/entries/{first['id']}").status_code == 404
    assert httpx.get(f"{url}/api/gif/entries/{others[0]['id']}").json() == others[0]
    assert httpx.post(f"{url}/api/gif/entries/{first['id']}/votes").status_code in (404, 503)


def test_what_can_not_become_an_entry_is_refused_with_the_reason(url: str) -> None:
    def enter(**body: object) -> tuple[int, str]:
        answer = httpx.post(f"{url}/api/gif/entries", json=body)
        return answer.status_code, answer.json()["detail"]

    assert enter() == (400, "job is required: the id of a finished image-to-video job")
    assert enter(job="f" * 32) == (404, "there is no such job, or none any more")
    assert enter(job="f" * 32, prompt="x" * 301) == (400, "prompt has more than 300 characters")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_can_be_read(browser: Browser, url: str, size: dict[str, int], scheme: str) -> None:
    with tab(browser, url, viewport=size, color_scheme=scheme) as page:
        page.goto("/gif")
        expect(page.locator("#gallery li").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert findings(page) == []


def test_it_is_played_by_keyboard_alone(browser: Browser, url: str) -> None:
    with tab(browser, url) as page:
        page.goto("/gif")
        page.keyboard.press("Tab")
        page.keyboard.type("a fox in a raincoat")
        for _ in range(2):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_have_text("Your GIF is in the gallery.", timeout=MINUTE_MS)


def test_the_picture_of_a_gif_is_served_as_one(url: str) -> None:
    answer = httpx.get(f"{url}/{entries(url)[0]['gif']}")
    assert answer.headers["content-type"] == "image/gif"
    assert Image.open(io.BytesIO(answer.content)).format == "GIF"
