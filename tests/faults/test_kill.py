"""Killing an upstream in the middle of a hundred requests."""

import asyncio
from pathlib import Path

import pytest

from faults.house import CHATS, PICTURES, QUICK, House, Reply, ask, house
from simulator import OpenAiApi, Service, SubnetGateway, media

pytestmark = pytest.mark.alone

SLOW = {name: Service(1.0) for name in QUICK}


def sockets() -> int:
    """Sockets that this process holds."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(descriptor.readlink()))
        except OSError:
            continue
    return sum(link.startswith("socket:") for link in links)


async def a_hundred(there: House, **headers: str) -> list[Reply]:
    """Pictures, uploads and streamed chats, all at once."""
    picture = media.picture(64, 64, 1, "png")

    def upload() -> asyncio.Task[Reply]:
        files = {"image": ("a.png", picture, "image/png")}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{there.url}/image-to-image"
        return asyncio.create_task(ask(there.client, url, sent, data={"prompt": "x"}, files=files))

    callers = [*PICTURES, *CHATS]
    asked = [asyncio.create_task(callers[i % len(callers)].ask(there, **headers)) for i in range(80)]
    return await asyncio.gather(*asked, *(upload() for _ in range(20)))


def assert_nobody_is_left(replies: list[Reply], deadline_s: float) -> None:
    for reply in replies:
        assert reply.status == 200, reply
        assert not reply.cut
        assert reply.seconds < deadline_s + 1
        # A live stream whose words were out ends with an error event; nothing that is cut looks complete.
        assert (reply.error is None) or not (reply.done or reply.finish)
        if reply.words and reply.error is None:
            assert reply.done
            assert len(reply.words.split()) == reply.usage["completion_tokens"]


@pytest.mark.parametrize("which", ["subnet", "hosted"])
async def test_killed_upstream_leaves_nobody_without_an_answer(which: str, tmp_path: Path) -> None:
    tasks, open_sockets = len(asyncio.all_tasks()), sockets()
    subnet = SubnetGateway(slots=200, service=SLOW)
    async with house(tmp_path, subnet=subnet, hosted=OpenAiApi(service_s=1.0), deadline=20, subnet_timeout=8) as there:
        headers = {"x_spillway_prefer": "fallback"} if which == "hosted" else {}
        asking = asyncio.create_task(a_hundred(there, **headers))
        await asyncio.sleep(0.6)
        victim = there.subnet if which == "subnet" else there.hosted
        assert victim.counters.open >= 20
        victim.kill()
        replies = await asking
        assert_nobody_is_left(replies, deadline_s=20)
        assert sum(reply.error is None for reply in replies) >= 70
        assert "spillway_body_bytes 0.0" in await there.metrics()
    await asyncio.sleep(0.3)
    assert len(asyncio.all_tasks()) <= tasks
    assert sockets() <= open_sockets


async def test_revived_subnet_is_used_again(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        there.subnet.kill()
        first = [await PICTURES[0].ask(there) for _ in range(5)]
        there.subnet.revive()
        await asyncio.sleep(2.1)
        again = await PICTURES[0].ask(there)
    assert {reply.served_by for reply in first} == {"hosted"}
    assert again.served_by == "subnet"
