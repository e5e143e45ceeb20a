"""What runs a job: the subnet through the one door that decides, and hosted predictions that outlive their worker."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from spillway.domain.requests import InferenceRequest, Terms
from spillway.domain.routes import Fallback
from spillway.errors import SpillwayError
from spillway.ports import Result

Started = Callable[[], Awaitable[None]]
"""Called when a try really begins; where it raises, the try is given up."""


class SubnetDoor(Protocol):
    """The subnet for those who have time: in the process that counts all tries, or through it."""

    async def infer(self, request: InferenceRequest, terms: Terms, patience_s: float, started: Started) -> Result:
        """One whole answer whose media are kept, from one try that begins within `patience_s` seconds.

        Raises CallerError or Overflow; where `started` wasn't called, there was no try.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """How what was started is: under way, ended with a result, or ended with the error that its end stands for.

    `progress` is the provider's own word, 0 to 1; None where it says nothing. What is cold has not begun.
    """

    progress: float | None = None
    begun: bool = False
    result: Result | None = None
    error: SpillwayError | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.result is not None or self.error is not None


class Predictions(Protocol):
    """A hosted provider that starts a job and tells an id, by which it is found again, by whichever process.

    A request names its seed, so that whoever looks gives the same answer.
    """

    def parts(self, request: InferenceRequest, target: Fallback) -> int:
        """How many predictions a request takes: several where it wants more pictures than one gives."""
        ...

    async def start(
        self, request: InferenceRequest, target: Fallback, *, limit_s: float, hook: str | None
    ) -> tuple[str, ...]:
        """Create them, each once, and don't wait for them; the provider ends them after `limit_s` seconds.

        `hook` is where the provider tells of their start and their end, with `&part=N` from the second on. Raises
        CallerError or Overflow, with nothing left running that is known of.
        """
        ...

    async def look(self, ids: Sequence[str], request: InferenceRequest, target: Fallback) -> Look:
        """How they are together. Raises Overflow where the provider can't be asked now, which says nothing of them."""
        ...

    async def cancel(self, ids: Sequence[str]) -> None:
        """End them. Never raises: what it can't reach ends by its limit."""
        ...
