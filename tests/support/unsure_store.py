"""A store whose calls a test lets through one by one, or loses, or holds back, as a network and a database do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from spillway.adapters.memory_store import MemoryStore
from spillway.errors import Conflict, SpillwayError, StoreUnavailable
from spillway.ports.store import Document

Fate = Literal["answered", "reply lost", "lost", "late", "taken for a conflict"]
FATES: tuple[Fate, ...] = ("answered", "reply lost", "lost", "late", "taken for a conflict")


@dataclass
class Call:
    """One call that waits for its fate."""

    make: Callable[[], Awaitable[Any]]
    writes: bool
    reply: "asyncio.Future[Any]"


class UnsureStore:
    """Port of a store over memory. `waiting` are calls without a fate, `late` those that come through some time."""

    def __init__(self, kept: MemoryStore):
        self._kept = kept
        self.waiting: list[Call] = []
        self.late: list[Call] = []

    async def read(self, folder: str, key: str) -> Document | None:
        """As the store."""
        return await self._ask(lambda: self._kept.read(folder, key))

    async def list(self, folder: str) -> list[Document]:
        """As the store."""
        return await self._ask(lambda: self._kept.list(folder))

    async def write(self, folder: str, key: str, body: Mapping[str, Any]) -> Document:
        """As the store."""
        return await self._ask(lambda: self._kept.write(folder, key, body), writes=True)

    async def replace(self, folder: str, key: str, body: Mapping[str, Any], version: str | None) -> Document:
        """As the store."""
        return await self._ask(lambda: self._kept.replace(folder, key, body, version), writes=True)

    async def delete(self, folder: str, key: str) -> None:
        """As the store."""
        await self._ask(lambda: self._kept.delete(folder, key), writes=True)

    async def close(self) -> None:
        """Nothing is open."""

    async def _ask(self, make: Callable[[], Awaitable[Any]], *, writes: bool = False) -> Any:
        call = Call(make, writes, asyncio.get_running_loop().create_future())
        self.waiting.append(call)
        return await call.reply

    async def decide(self, call: Call, fate: Fate) -> None:
        """Let a call have its fate."""
        self.waiting.remove(call)
        answer = None if fate in ("lost", "late") else await _made(call)
        if fate == "late":
            self.late.append(call)
        if call.reply.done():
            return
        if fate == "answered":
            _reply(call, answer)
        elif fate == "taken for a conflict" and call.writes:
            call.reply.set_exception(Conflict("the library repeated a write that had been made"))
        else:
            call.reply.set_exception(StoreUnavailable(fate))

    async def come_through(self, call: Call) -> None:
        """A late call is made after all; nobody waits for its reply."""
        self.late.remove(call)
        await _made(call)


async def _made(call: Call) -> Any:
    try:
        return await call.make()
    except SpillwayError as error:
        return error


def _reply(call: Call, answer: Any) -> None:
    if isinstance(answer, Exception):
        call.reply.set_exception(answer)
    else:
        call.reply.set_result(answer)
