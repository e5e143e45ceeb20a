"""Keys in a real browser: from a page that a key names, from another one, and as the password of the dashboard."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, expect

from simulator import SubnetGateway
from simulator.server import background
from support.browser import tab
from support.front_door import command
from support.processes import told

# As a script in a page would, with a header of the kind that OpenAI's SDK adds.
ASK = """async ([url, key]) => {
  const answer = await fetch(url + '/v1/chat/completions', {
    method: 'POST',
    headers: { 'authorization': 'Bearer ' + key, 'content-type': 'application/json', 'x-stainless-lang': 'js' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'hi' }] }),
  });
  const body = await answer.json();
  return [answer.status, answer.headers.get('x-spillway-served-by'), (body.error || {}).code];
}"""


class Blank(BaseHTTPRequestHandler):
    """An empty page at any address."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>a page</title>")

    def log_message(self, *args: Any) -> None:
        """Nothing."""


@contextmanager
def page_server() -> Iterator[str]:
    """A web page's origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@dataclass(frozen=True, slots=True)
class Place:
    """A front door, two pages, a key that names the first of them, and one that may read."""

    url: str
    named: str
    other: str
    key: str
    reader: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("pages")
    subnet = SubnetGateway(slots=4, time_scale=0.001)
    settings = {"SPILLWAY_AUTH": "keys", "SPILLWAY_STATE": f"sqlite:///{directory}/state.db"}
    with background(subnet), page_server() as named, page_server() as other:
        key = made(settings, "--origin", named)
        reader = made(settings, "--scope", "read")
        with command(
            SPILLWAY_SUBNET_URL=subnet.url, SPILLWAY_ARTIFACTS=f"file://{directory}/artifacts", **settings
        ) as url:
            yield Place(url, named, other, key, reader)


def made(settings: dict[str, str], *terms: str) -> str:
    """A new key."""
    return str(told("keys", "create", *terms, **settings)["key"])


def test_a_page_that_the_key_names_asks_and_reads_who_answered(browser: Browser, place: Place) -> None:
    with tab(browser, place.named) as page:
        page.goto("/")
        assert page.evaluate(ASK, [place.url, place.key]) == [200, "subnet", None]


def test_another_page_gets_nothing(browser: Browser, place: Place) -> None:
    said: list[str] = []
    with tab(browser, place.other, said=said) as page:
        page.goto("/")
        outcome = page.evaluate(f"(asked) => ({ASK})(asked).catch(error => error.name)", [place.url, place.key])
    assert outcome == "TypeError"
    assert any("blocked by CORS policy" in line for line in said)


def test_a_page_can_tell_its_user_why_a_key_is_refused(browser: Browser, place: Place) -> None:
    with tab(browser, place.named, said=[]) as page:
        page.goto("/")
        assert page.evaluate(ASK, [place.url, "sk-wrong"]) == [401, None, "invalid_api_key"]


def test_the_dashboard_lives_with_a_key_as_its_password(browser: Browser, place: Place) -> None:
    login = {"username": "me", "password": place.reader}
    with tab(browser, place.url, http_credentials=login) as page:
        page.goto("/")
        expect(page.locator("h1").first).to_be_visible()
        served = page.evaluate("fetch('api/stats').then(answer => answer.status)")
    assert served == 200


def test_the_dashboard_asks_for_a_password_and_is_closed_without_one(browser: Browser, place: Place) -> None:
    with tab(browser, place.url, said=[]) as page, pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
        page.goto("/")
