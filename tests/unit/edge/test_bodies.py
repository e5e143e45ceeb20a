"""Bodies: kept once, and bounded alone and together."""

from collections.abc import Callable
from typing import Any

import pytest

from spillway.edge.bodies import CallerGone, Room
from spillway.errors import BadRequest, Overloaded


def receiver(*pieces: bytes, cut: bool = False) -> Callable[[], Any]:
    """ASGI's receive: the pieces of a body, whole unless it is cut."""
    last = len(pieces) - 1
    messages = [
        {"type": "http.request", "body": piece, "more_body": cut or index < last} for index, piece in enumerate(pieces)
    ]

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return receive


def scope(**headers: str) -> Any:
    return {
        "type": "http",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


async def test_declared_length_past_the_limit_is_refused_before_it_comes() -> None:
    room = Room(100, 1000)
    with pytest.raises(BadRequest) as caught:
        await room.read(scope(content_length="101"), receiver())
    assert (caught.value.status, room.taken) == (413, 0)


async def test_undeclared_length_is_refused_as_it_comes() -> None:
    room = Room(100, 1000)
    with pytest.raises(BadRequest):
        await room.read(scope(), receiver(b"x" * 60, b"x" * 60))
    assert room.taken == 0


async def test_all_bodies_together_are_bounded() -> None:
    room = Room(100, 150)
    first = await room.read(scope(content_length="100"), receiver(b"x" * 100))
    with pytest.raises(Overloaded):
        await room.read(scope(content_length="100"), receiver())
    first.close()
    (await room.read(scope(content_length="100"), receiver(b"x" * 100))).close()
    assert room.taken == 0


async def test_caller_who_leaves_gives_the_room_back() -> None:
    room = Room(100, 100)
    with pytest.raises(CallerGone):
        await room.read(scope(content_length="50"), receiver(b"x" * 10, cut=True))
    assert room.taken == 0
