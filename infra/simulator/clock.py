"""A simulator's own time, which may run faster or slower than the machine's."""

import asyncio
import time


class Clock:
    """Simulated seconds since `start`; one of them lasts `scale` real ones."""

    def __init__(self, scale: float) -> None:
        """Stand at zero."""
        self._scale = scale
        self._base_s = 0.0
        self._since = time.monotonic()

    @property
    def scale(self) -> float:
        """Real seconds for a simulated one; setting it leaves the time reached as it is."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        self._base_s, self._since = self.now(), time.monotonic()
        self._scale = scale

    def start(self) -> None:
        """Begin again at zero."""
        self._base_s, self._since = 0.0, time.monotonic()

    def now(self) -> float:
        """Simulated seconds since the start (real ones where the scale is 0 and nothing takes time)."""
        return self._base_s + (time.monotonic() - self._since) / (self._scale or 1.0)

    def skip(self, seconds: float) -> None:
        """Let so many simulated seconds be over at once; whoever sleeps now sleeps on."""
        self._base_s += seconds

    def real(self, seconds: float) -> float:
        """How long that is on the machine's clock."""
        return seconds * self._scale

    async def sleep(self, seconds: float) -> None:
        """Let simulated time pass."""
        await asyncio.sleep(self.real(seconds))
