"""A clock that calls back at a time."""

import asyncio
import math
from collections.abc import Callable

from spillway.ports import Clock


class Alarm:
    """Rings once, at the earliest of the times that it is set to; then it may be set anew."""

    def __init__(self, monotonic: Clock, ring: Callable[[], None]):
        self._monotonic, self._ring = monotonic, ring
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf

    def set(self, at: float) -> None:
        """Ring at this time, unless it is to ring sooner; infinity is never."""
        if at == math.inf or (self._timer and self._at <= at):
            return
        if self._timer:
            self._timer.cancel()
        self._at = at
        self._timer = asyncio.get_running_loop().call_later(max(0.0, at - self._monotonic()), self._go_off)

    def _go_off(self) -> None:
        self._timer, self._at = None, math.inf
        self._ring()
