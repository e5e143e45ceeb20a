"""What a front door that asks for keys answers, path by path and family by family."""

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator import SubnetGateway, background
from spillway.assembly.state import open_store
from spillway.domain.key_terms import checked_limits, checked_scopes
from spillway.domain.keys import Key
from spillway.services.keys import Keys
from spillway.settings import Settings
from support.front_door import running

PICTURE = {"prompt": "a cat"}
CHAT = {"messages": [{"role": "user", "content": "hi"}]}
PAGE = "https://app.example"


class Door:
    """A front door, its keys, and a client without one."""

    def __init__(self, keys: Keys, client: httpx.AsyncClient):
        self._keys, self._client = keys, client

    async def key(self, *scopes: str, **terms: Any) -> str:
        """A new key."""
        return (await self._keys.create(Key(id="", scopes=checked_scopes(scopes), **terms))).token

    async def ask(self, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        """One request, with this key where one is given."""
        headers = httpx.Headers(more.pop("headers", {})).multi_items()
        if key:
            headers.append(("authorization", f"Bearer {key}"))
        return await self._client.request(method, path, headers=headers, **more)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    subnet = SubnetGateway(slots=16, time_scale=0.001)
    with background(subnet):
        settings = Settings(
            auth="keys",
            state=f"sqlite:///{tmp_path}/state.db",
            artifacts=f"file://{tmp_path}/artifacts",
            subnet_url=subnet.url,
        )
        store = open_store(settings)
        async with running(settings) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
            yield Door(Keys(store, epoch=time.time, by="me"), client)
        await store.close()


async def test_each_family_says_in_its_own_words_that_a_key_is_missing(door: Door) -> None:
    livepeer = await door.ask("POST", "/text-to-image", json=PICTURE)
    openai = await door.ask("POST", "/v1/chat/completions", json=CHAT)
    problem = await door.ask("GET", "/api/stats")
    assert [answer.status_code for answer in (livepeer, openai, problem)] == [401, 401, 401]
    message = "no key was given: send Authorization: Bearer sw_..."
    assert livepeer.json() == {"error": {"message": message}, "detail": {"msg": message}}
    assert openai.json()["error"] == {
        "message": message, "type": "authentication_error", "param": None, "code": "missing_api_key"
    }  # fmt: skip
    assert (problem.headers["content-type"], problem.json()["title"]) == ("application/problem+json", "missing_api_key")
    assert livepeer.headers["www-authenticate"] == 'Bearer realm="spillway"'
    assert livepeer.headers["x-request-id"]


async def test_a_wrong_key_is_told_from_a_missing_one(door: Door) -> None:
    for wrong in ("nonsense", "sw_" + "0" * 12 + "_" + "0" * 49, (await door.key())[:-1] + "~"):
        answer = await door.ask("POST", "/llm", wrong, json=CHAT)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (
            401, 'Bearer realm="spillway", error="invalid_token"'
        )  # fmt: skip


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
async def test_health_and_the_description_are_open(door: Door, path: str) -> None:
    assert (await door.ask("GET", path)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/stats", "/api/policy"])
async def test_figures_need_a_key_that_may_read(door: Door, path: str) -> None:
    assert (await door.ask("GET", path)).status_code == 401
    assert (await door.ask("GET", path, await door.key())).status_code == 403
    for scope in ("read", "admin"):
        assert (await door.ask("GET", path, await door.key(scope))).status_code == 200


async def test_a_browser_asks_for_the_key_and_gives_it_as_a_password_to_read_only(door: Door) -> None:
    assert (await door.ask("GET", "/")).headers["www-authenticate"].startswith("Basic ")
    password = base64.b64encode(f"me:{await door.key('admin')}".encode()).decode()
    basic = {"authorization": f"Basic {password}"}
    assert (await door.ask("GET", "/api/stats", headers=basic)).status_code == 200
    assert (await door.ask("POST", "/llm", headers=basic, json=CHAT)).status_code == 401


async def test_results_are_open_to_whoever_has_their_address(door: Door) -> None:
    answer = await door.ask("POST", "/text-to-image", await door.key(), json=PICTURE)
    assert (await door.ask("GET", answer.json()["images"][0]["url"])).status_code == 200


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        (["inference"], [200, 200, 200, 200]),
        (["inference:openai"], [403, 403, 200, 200]),
        (["inference:livepeer"], [200, 200, 403, 403]),
        (["inference:llm"], [403, 200, 403, 200]),
        (["read", "jobs"], [403, 403, 403, 403]),
    ],
)
async def test_a_key_does_what_its_scopes_say(door: Door, scopes: list[str], statuses: list[int]) -> None:
    key = await door.key(*scopes)
    asked = [
        ("/text-to-image", PICTURE), ("/llm", CHAT), ("/v1/images/generations", PICTURE), ("/v1/chat/completions", CHAT)
    ]  # fmt: skip
    assert [(await door.ask("POST", path, key, json=body)).status_code for path, body in asked] == statuses


async def test_a_job_needs_the_scope_for_jobs_besides(door: Door) -> None:
    key = await door.key("inference")
    bearer = ("authorization", f"Bearer {key}")
    for prefer in ([("prefer", "Respond-Async")], [("prefer", "respond-async"), ("prefer", "wait=1")]):
        answer = await door.ask("POST", "/llm", json=CHAT, headers=[bearer, *prefer])
        assert (answer.status_code, answer.json()["detail"]["msg"]) == (
            403, "this key may not start jobs: it needs the scope jobs"
        )  # fmt: skip


async def test_a_job_is_its_own_keys_alone_and_the_operators(door: Door) -> None:
    mine, others, operators = await door.key(), await door.key(), await door.key("admin")
    taken = await door.ask("POST", "/llm", mine, json=CHAT, headers={"prefer": "respond-async"})
    assert taken.status_code == 202
    seen = [await door.ask("GET", taken.headers["location"], key) for key in (mine, others, operators, None)]
    assert [answer.status_code for answer in seen] == [200, 404, 200, 401]
    assert (await door.ask("DELETE", taken.headers["location"], others)).status_code == 404


async def test_a_refused_upload_is_not_read_and_the_connection_goes_on(door: Door) -> None:
    upload = {"image": ("in.png", bytes(5_000_000), "image/png")}
    for _ in range(3):
        assert (await door.ask("POST", "/image-to-image", "nonsense", files=upload)).status_code == 401
    assert (await door.ask("POST", "/llm", await door.key(), json=CHAT)).status_code == 200


async def test_of_two_keys_in_one_request_neither_is_taken(door: Door) -> None:
    bearers = [("authorization", f"Bearer {await door.key()}") for _ in range(2)]
    assert (await door.ask("POST", "/llm", json=CHAT, headers=bearers)).status_code == 401


async def test_what_there_is_none_of_is_said_to_holders_of_keys_alone(door: Door) -> None:
    assert (await door.ask("GET", "/nowhere")).status_code == 401
    assert (await door.ask("GET", "/nowhere", await door.key())).status_code == 404


async def test_models_are_listed_for_any_key(door: Door) -> None:
    assert (await door.ask("GET", "/v1/models", await door.key("jobs"))).status_code == 200


def preflight(origin: str) -> dict[str, str]:
    """What a browser asks before a page's request with a key."""
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
    }


async def test_a_page_that_a_key_names_may_ask(door: Door) -> None:
    await door.key(origins=(PAGE,))
    answer = await door.ask("OPTIONS", "/v1/chat/completions", headers=preflight(PAGE))
    assert answer.status_code == 204
    told = {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}
    assert told.pop("access-control-expose-headers")
    assert told == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-allow-headers": "authorization,content-type,x-stainless-lang",
        "access-control-max-age": "600",
    }
    assert answer.headers["vary"] == "origin"


async def test_a_page_that_no_key_names_may_not(door: Door) -> None:
    await door.key(origins=(PAGE,))
    for origin in ("https://evil.example", "null", PAGE + ".evil.example"):
        answer = await door.ask("OPTIONS", "/llm", headers=preflight(origin))
        assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (403, False)


async def test_a_key_works_from_its_own_pages_alone(door: Door) -> None:
    mine, server = await door.key(origins=(PAGE,)), await door.key()
    other = await door.key(origins=("https://b.example",))
    allowed = await door.ask("POST", "/llm", mine, json=CHAT, headers={"origin": PAGE})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, PAGE)
    refused = await door.ask("POST", "/llm", other, json=CHAT, headers={"origin": PAGE})
    assert refused.status_code == 403
    unreadable = await door.ask("POST", "/llm", server, json=CHAT, headers={"origin": PAGE})
    assert (unreadable.status_code, "access-control-allow-origin" in unreadable.headers) == (200, False)


async def test_a_key_for_pages_works_on_the_front_doors_own_and_outside_of_browsers(door: Door) -> None:
    mine = await door.key(origins=(PAGE,))
    own = str((await door.ask("GET", "/healthz")).url).removesuffix("/healthz")
    assert (await door.ask("POST", "/llm", mine, json=CHAT, headers={"origin": own})).status_code == 200
    assert (await door.ask("POST", "/llm", mine, json=CHAT)).status_code == 200


async def test_a_page_can_read_why_its_key_was_refused(door: Door) -> None:
    await door.key(origins=(PAGE,))
    answer = await door.ask("POST", "/llm", json=CHAT, headers={"origin": PAGE})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, PAGE)


async def test_who_was_not_let_in_is_counted_by_the_reason(door: Door) -> None:
    slow = await door.key(limits=checked_limits(0.001, 1, None))
    for key in (None, "nonsense", await door.key("read"), slow, slow):
        await door.ask("POST", "/llm", key, json=CHAT)
    counted = (await door.ask("GET", "/metrics", await door.key("read"))).text
    for reason in ("missing_api_key", "invalid_api_key", "scope", "rate_limited"):
        assert f'spillway_turned_away_total{{reason="{reason}"}} 1.0' in counted
