"""How finished jobs reach the addresses that their callers gave."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

Secrets = Callable[[str], Awaitable[str | None]]
"""What signs the webhooks of a caller, by its id: `whsec_...`; None where there is nothing to sign with."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted. `id` stays the same however often it is sent; `at` is the time of this try, in epoch seconds."""

    id: str
    at: float
    body: bytes


class Webhooks(Protocol):
    """Posts to addresses that callers gave, and to none on the inside unless that is allowed."""

    async def check(self, url: str) -> None:
        """Look at an address when it is given. Raises BadRequest for one that will never be posted to.

        A name that can't be resolved just now is let through: every post is looked at again when it connects.
        """
        ...

    async def post(self, url: str, message: Message, secret: str | None) -> int:
        """One try, signed where there is a secret: the status that came back. Raises Overflow where none did."""
        ...
