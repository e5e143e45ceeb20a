"""The simulated webhook behaves as Discord's documentation says."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from simulator import DiscordApi

HOOK = "/t0ken"
Pair = tuple[DiscordApi, httpx.AsyncClient]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with (
        DiscordApi(webhook=(100, 2.0)).serve() as api,
        httpx.AsyncClient(base_url=f"{api.url}/api/webhooks/1") as client,
    ):
        yield api, client


async def made(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post(HOOK, params={"wait": "true"}, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_message_is_made_read_edited_and_deleted(pair: Pair) -> None:
    api, client = pair
    message = await made(client, content="hello")
    path = f"{HOOK}/messages/{message['id']}"
    edited = await client.patch(path, json={"embeds": [{"title": "a"}]})
    assert (edited.json()["content"], edited.json()["embeds"]) == ("hello", [{"title": "a"}])
    assert (await client.get(path)).json() == edited.json()
    assert (await client.delete(path)).status_code == 204
    assert [(await client.get(path)).json()["code"], len(api.channel)] == [10008, 0]


async def test_without_wait_nothing_is_told_of_the_message(pair: Pair) -> None:
    api, client = pair
    answer = await client.post(HOOK, json={"content": "hello"})
    assert (answer.status_code, answer.content, len(api.channel)) == (204, b"", 1)


async def test_ids_grow(pair: Pair) -> None:
    _, client = pair
    ids = [int((await made(client, content=str(n)))["id"]) for n in range(5)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": "x" * 2001},
        {"embeds": [{"title": "a"}] * 11},
        {"embeds": [{"description": "x" * 3001}] * 2},
        {"embeds": [{"title": "x" * 257}]},
        {"embeds": [{"fields": [{"name": "", "value": "x"}]}]},
        {"embeds": [{"title": "a", "url": "ftp://x"}]},
    ],
)
async def test_what_discord_refuses_is_refused(pair: Pair, body: dict[str, Any]) -> None:
    api, client = pair
    answer = await client.post(HOOK, json=body)
    assert (answer.status_code, answer.json()["code"], api.messages) == (400, 50035, [])


async def test_a_webhook_is_known_by_its_token_until_it_is_deleted(pair: Pair) -> None:
    api, client = pair
    wrong = await client.post(f"{api.url}/api/v10/webhooks/1/other", json={"content": "x"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, 50027)
    api.deleted = True
    gone = await client.post(HOOK, json={"content": "x"})
    assert (gone.status_code, gone.json()["code"]) == (404, 10015)


async def test_limits_are_told_before_and_when_they_are_met() -> None:
    async with (
        DiscordApi(webhook=(2, 30.0)).serve() as api,
        httpx.AsyncClient(base_url=f"{api.url}/api/webhooks/1") as client,
    ):
        left = [(await client.post(HOOK, json={"content": "x"})).headers["x-ratelimit-remaining"] for _ in range(2)]
        assert left == ["1", "0"]
        limited = await client.post(HOOK, json={"content": "x"})
        assert (limited.status_code, limited.json()["global"], len(api.channel)) == (429, False, 2)
        assert 25 < limited.json()["retry_after"] <= 30
        assert limited.headers["retry-after"] == f"{limited.json()['retry_after']:.0f}"
        assert (await client.patch(f"{HOOK}/messages/{api.channel[0].id}", json={"content": "y"})).status_code == 200


async def test_the_limit_of_all_webhooks_says_so() -> None:
    async with (
        DiscordApi(everybody=(1, 30.0)).serve() as api,
        httpx.AsyncClient(base_url=f"{api.url}/api/webhooks/1") as client,
    ):
        await client.get(HOOK)
        limited = await client.get(HOOK)
        assert (limited.json()["global"], limited.headers["x-ratelimit-global"]) == (True, "true")
        assert limited.headers["x-ratelimit-scope"] == "global"


@pytest.mark.parametrize(
    ("kind", "messages"), [("close", 0), ("reply_lost", 1), ("repeated", 2), ("late", 1), ("error", 1), ("cut", 1)]
)
async def test_a_faulty_post_makes_so_many_messages(pair: Pair, kind: Any, messages: int) -> None:
    api, client = pair
    api.late_s = 0.05
    api.faults.add(kind, times=1)
    try:
        answered = (await client.post(HOOK, params={"wait": "true"}, json={"content": "x"})).status_code
    except httpx.HTTPError:
        answered = 0
    assert answered == {"repeated": 200, "error": 500}.get(kind, 0)
    for _ in range(100):
        if len(api.messages) == messages:
            break
        await asyncio.sleep(0.02)
    assert len(api.messages) == messages
