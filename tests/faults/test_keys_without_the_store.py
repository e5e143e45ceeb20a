"""Firestore is lost for a while: keys that are known go on, others are asked to come back, and all is well after."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from simulator import SubnetGateway, background
from spillway.assembly.state import open_store
from spillway.domain.key_terms import checked_limits
from spillway.domain.keys import Key
from spillway.services.keys import Keys
from spillway.settings import Settings
from support.cut import Way, way_to
from support.front_door import running


class Place:
    """A front door whose way to Firestore can be cut, and an operator who has another one."""

    def __init__(self, way: Way, keys: Keys, client: httpx.AsyncClient):
        self.way, self.keys, self._client = way, keys, client

    async def ask(self, key: str) -> httpx.Response:
        """One picture."""
        bearer = {"authorization": f"Bearer {key}"}
        return await self._client.post("/text-to-image", json={"prompt": "a cat"}, headers=bearer)

    async def until(self, key: str, holds: Callable[[httpx.Response], bool]) -> httpx.Response:
        """Ask until the answer is as it should be."""
        for _ in range(150):
            answer = await self.ask(key)
            if holds(answer):
                return answer
            await asyncio.sleep(0.1)
        raise AssertionError(f"still {answer.status_code}: {answer.text}")


@pytest.fixture
async def place(firestore_host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Place]:
    subnet = SubnetGateway(slots=16, time_scale=0.001)
    with background(subnet):
        settings = Settings(
            auth="keys",
            state=f"firestore://test-{uuid.uuid4().hex[:12]}",
            artifacts=f"file://{tmp_path}",
            subnet_url=subnet.url,
        )
        async with way_to(firestore_host) as way:
            store = open_store(settings)
            await store.read("nothing", "yet")
            monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", way.address)
            async with running(settings) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
                yield Place(way, Keys(store, epoch=time.time, by="me"), client)
            await store.close()


async def test_a_minute_without_firestore_is_outlived(place: Place) -> None:
    known = await place.keys.create(Key(id="", limits=checked_limits(100.0, 100, 5.0)))
    ended = await place.keys.create(Key(id=""))
    assert [(await place.ask(made.token)).status_code for made in (known, ended)] == [200, 200]
    place.way.cut()
    new = await place.keys.create(Key(id=""))
    await place.keys.revoke(ended.key.id)
    refused = await place.ask(new.token)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "keys can't be checked just now" in refused.json()["error"]["message"]
    answers = [await place.ask(known.token) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["x-spillway-served-by"] for answer in answers} == {"subnet"}
    place.way.mend()
    assert (await place.until(new.token, lambda answer: answer.status_code == 200)).status_code == 200
    await place.until(ended.token, lambda answer: answer.status_code == 401)
    assert (await place.ask(known.token)).status_code == 200
