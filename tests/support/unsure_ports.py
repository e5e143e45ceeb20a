"""A port whose calls a test lets through one by one, or loses, or holds back, as a network does."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from spillway.errors import SpillwayError

ANSWERED, REPLY_LOST, LOST, LATE, REPEATED = "answered", "reply lost", "lost", "late", "repeated"


@dataclass(eq=False)
class Call:
    """One call that waits for its fate."""

    name: str
    make: Callable[[], Coroutine[Any, Any, Any]]
    unsure: type[SpillwayError]
    reply: "asyncio.Future[Any]"


class Calls:
    """What all announcers of a test have asked for: `waiting` without a fate, `late` to come through some time."""

    def __init__(self) -> None:
        self.waiting: list[Call] = []
        self.late: list[Call] = []

    async def decide(self, call: Call, fate: str) -> None:
        """Let a call have its fate."""
        self.waiting.remove(call)
        answer = None
        for _ in range({LOST: 0, LATE: 0, REPEATED: 2}.get(fate, 1)):
            answer = await _made(call)
        if fate == LATE:
            self.late.append(call)
        if call.reply.done():
            return
        if fate not in (ANSWERED, REPEATED):
            call.reply.set_exception(call.unsure(fate))
        elif isinstance(answer, SpillwayError):
            call.reply.set_exception(answer)
        else:
            call.reply.set_result(answer)

    async def come_through(self, call: Call) -> None:
        """A late call is made after all; nobody waits for its reply."""
        self.late.remove(call)
        await _made(call)


class Unsure:
    """The port `kept`, whose awaited methods wait in `calls`; `unsure` is what a lost one raises."""

    def __init__(self, kept: Any, calls: Calls, unsure: type[SpillwayError]):
        self._kept, self._calls, self._unsure = kept, calls, unsure

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._kept, name)
        if not asyncio.iscoroutinefunction(method):
            return method

        async def asked(*args: Any) -> Any:
            call = Call(name, lambda: method(*args), self._unsure, asyncio.get_running_loop().create_future())
            self._calls.waiting.append(call)
            return await call.reply

        return asked


async def _made(call: Call) -> Any:
    try:
        return await call.make()
    except SpillwayError as error:
        return error
