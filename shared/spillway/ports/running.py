"""What runs a job: the subnet through the one door that decides, and hosted predictions that outlive their worker."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from spillway.domain.requests import InferenceRequest, Terms
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
