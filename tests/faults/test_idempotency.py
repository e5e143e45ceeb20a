"""Requests that are sent again under one Idempotency-Key, over HTTP: done once, answered as often as they come."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.house import CHATS, QUICK, Caller, House, house
from simulator import Fault, Service, SubnetGateway, media

WISH = {"prompt": "a river", "width": 128, "height": 128}
SLOW = {name: Service(1.0) for name in QUICK}
KEY = {"idempotency-key": "order-4711"}


async def post(
    there: House, path: str = "/text-to-image", key: str | None = "order-4711", **content: Any
) -> httpx.Response:
    """One request with a key."""
    headers = {**({"idempotency-key": key} if key is not None else {}), **content.pop("headers", {})}
    return await there.client.post(there.url + path, headers=headers, **(content or {"json": WISH}))


def replayed(reply: httpx.Response) -> bool:
    """Whether it is an answer that was kept."""
    return reply.headers.get("idempotent-replayed") == "true"


async def test_repeated_request_gets_the_first_answer_again(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        first, again = await post(there), await post(there)
        assert (first.status_code, again.status_code) == (200, 200)
        assert (replayed(first), replayed(again)) == (False, True)
        assert again.content == first.content
        for name in ("content-type", "x-spillway-served-by", "x-spillway-model", "x-spillway-attempts"):
            assert again.headers[name] == first.headers[name]
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
        assert there.subnet.counters.tries == 1


async def test_other_keys_and_no_key_are_other_requests(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        replies = [await post(there, key=key) for key in ("a", "b", None, None)]
        assert [replayed(reply) for reply in replies] == [False] * 4
        assert there.subnet.counters.tries == 4


@pytest.mark.parametrize("path", ["/text-to-image", "/upscale"])
async def test_same_key_with_another_request_is_refused(tmp_path: Path, path: str) -> None:
    async with house(tmp_path) as there:
        await post(there)
        reply = await post(there, path, json={**WISH, "prompt": "a lake"})
        assert (reply.status_code, replayed(reply)) == (422, False)
        assert "new key" in reply.json()["error"]["message"]
        assert there.subnet.counters.tries == 1
        assert replayed(await post(there))


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_key_that_is_none_is_refused(tmp_path: Path, key: str) -> None:
    async with house(tmp_path) as there:
        assert (await post(there, key=key)).status_code == 400


async def test_form_that_is_built_again_is_the_same_request(tmp_path: Path) -> None:
    """Its boundary is drawn anew each time."""
    async with house(tmp_path) as there:
        picture, other = media.picture(64, 64, 1, "png"), media.picture(64, 64, 2, "png")

        async def upload(content: bytes) -> httpx.Response:
            return await post(
                there, "/image-to-image", files={"image": ("a.png", content, "image/png")}, data={"prompt": "x"}
            )

        first, again, changed = await upload(picture), await upload(picture), await upload(other)
        assert (first.status_code, again.content) == (200, first.content)
        assert (replayed(again), changed.status_code) == (True, 422)


async def test_second_waits_for_the_first(tmp_path: Path) -> None:
    async with house(tmp_path, subnet=SubnetGateway(slots=9, service=SLOW), subnet_timeout=5) as there:
        first, *others = await asyncio.gather(*(post(there) for _ in range(5)))
        assert {reply.content for reply in (first, *others)} == {first.content}
        assert sorted(replayed(reply) for reply in (first, *others)) == [False, True, True, True, True]
        assert there.subnet.counters.tries == 1


async def test_caller_who_hangs_up_finds_the_answer_when_it_comes_back(tmp_path: Path) -> None:
    async with house(tmp_path, subnet=SubnetGateway(slots=9, service=SLOW), subnet_timeout=5) as there:
        with pytest.raises(httpx.ReadTimeout):
            await post(there, timeout=0.5, json=WISH)
        reply = await post(there)
        assert (reply.status_code, replayed(reply)) == (200, True)
        assert there.subnet.counters.tries == 1


async def test_answer_that_says_nothing_was_given_is_not_kept(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        there.subnet.kill()
        failed = await post(there, headers={"x-spillway-prefer": "subnet-only"})
        there.subnet.revive()
        served = await post(there, headers={"x-spillway-prefer": "subnet-only"})
        assert (failed.status_code, served.status_code, replayed(served)) == (503, 200, False)


async def test_what_the_backend_says_of_a_request_is_kept(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        there.subnet.faults.add(Fault("runner", status=400, message="no such LoRA", times=1))
        first, again = [await post(there) for _ in range(2)]
        assert (first.status_code, again.status_code, replayed(again)) == (400, 400, True)
        assert again.content == first.content


@pytest.mark.parametrize(
    ("wrong", "mended"),
    [
        ({"json": {"prompt": ""}}, {}),
        ({"headers": {"x-spillway-prefer": "nobody"}}, {"headers": {"x-spillway-prefer": "subnet"}}),
        ({"headers": {"x-spillway-deadline": "soon"}}, {}),
        (
            {"headers": {"prefer": "respond-async", "webhook-url": "https://127.0.0.1/done"}},
            {"headers": {"prefer": "respond-async"}},
        ),
    ],
)
async def test_request_that_was_wrong_keeps_its_key_when_it_is_mended(
    tmp_path: Path, wrong: dict[str, Any], mended: dict[str, Any]
) -> None:
    """Nothing was begun for it. Body and headers may both have been wrong."""
    async with house(tmp_path, state=f"sqlite:///{tmp_path / 'state.db'}", works=False) as there:
        refused = [await post(there, **{"json": WISH, **wrong}) for _ in range(2)]
        assert [(reply.status_code, replayed(reply)) for reply in refused] == [(400, False)] * 2
        served, again = [await post(there, **{"json": WISH, **mended}) for _ in range(2)]
        assert (served.status_code < 300, replayed(served), replayed(again)) == (True, False, True)
        assert again.content == served.content


@pytest.mark.parametrize("caller", CHATS, ids=lambda caller: caller.name)
async def test_stream_is_given_again_whole(tmp_path: Path, caller: Caller) -> None:
    async with house(tmp_path) as there:
        first, again = [await caller.ask(there, idempotency_key="chat") for _ in range(2)]
        assert (again.words, again.finish, again.done) == (first.words, "stop", True)
        assert again.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert again.headers["idempotent-replayed"] == "true"
        assert there.subnet.counters.tries == 1


async def test_job_is_taken_in_once(tmp_path: Path) -> None:
    async with house(tmp_path, state=f"sqlite:///{tmp_path / 'state.db'}", works=False) as there:
        later = {"prefer": "respond-async"}
        first, again = [await post(there, headers=later) for _ in range(2)]
        assert (first.status_code, again.status_code, replayed(again)) == (202, 202, True)
        assert again.headers["location"] == first.headers["location"] == f"/jobs/{first.json()['id']}"
        assert again.headers["preference-applied"] == "respond-async"
        position = (await there.client.get(f"{there.url}/jobs/{first.json()['id']}")).json()["queue_position"]
        assert position == 1


async def test_key_is_remembered_by_another_process_and_after_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path, state=f"sqlite:///{tmp_path / 'state.db'}") as there:
        first = await post(there)
    async with house(tmp_path, state=f"sqlite:///{tmp_path / 'state.db'}") as there:
        again = await post(there)
        assert (again.content, replayed(again), there.subnet.counters.tries) == (first.content, True, 0)
