"""What burst orchestrators need from outside: a cloud that rents machines, and somebody who sees orchestrators."""

from collections.abc import Collection, Mapping
from typing import Protocol

from spillway.domain.burst import MachineSpec
from spillway.domain.burst_book import Sighting


class Machines(Protocol):
    """A deployment's machines at one cloud, known by name (domain.machine_names).

    Every call is bounded in time and raises a SpillwayError where it failed, which proves nothing: a create that
    failed may have made the machine, a stop or delete that succeeded may still be under way. Only `sightings` tell.
    """

    async def sightings(self) -> list[Sighting]:
        """Every machine of this deployment that the cloud admits to, whichever route it was made for."""
        ...

    async def create(self, name: str, spec: MachineSpec) -> None:
        """Ask for one machine. Never makes two of a name on purpose."""
        ...

    async def stop(self, name: str) -> None:
        """Ask it to end its work in order; a machine that is not there is none to stop."""
        ...

    async def delete(self, name: str) -> None:
        """Ask for its removal, disk and all; a machine that is not there is gone already."""
        ...


class Readiness(Protocol):
    """Tells which machines have become orchestrators."""

    async def ready(self, addresses: Collection[str]) -> Mapping[str, bool]:
        """By address (host:port). Raises Overflow where nobody can tell just now."""
        ...
