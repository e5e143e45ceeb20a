"""What is looked for once a minute: jobs no worker has heard of, webhooks that are due, and what is kept no more."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from spillway.errors import SpillwayError

log = logging.getLogger("spillway")

Part = Callable[[], Awaitable[object]]
"""Does one thing, and tells what it has done."""


@dataclass(slots=True)
class Swept:
    """What each part has done, by its name, and what could not be done."""

    done: dict[str, object] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Sweeping:
    """The sweep, in parts. Several sweeps at once do no harm."""

    def __init__(self, parts: Mapping[str, Part]):
        self._parts = parts

    async def sweep(self) -> Swept:
        """All of it; what can't be done now is left to the next sweep, and hinders nothing else."""
        swept = Swept()
        for name, part in self._parts.items():
            try:
                swept.done[name] = await part()
            except Exception as error:
                unforeseen = None if isinstance(error, SpillwayError) else error
                log.warning("%s: left to the next sweep: %s", name, error, exc_info=unforeseen)
                swept.problems.append(f"{name}: {error}")
        return swept
