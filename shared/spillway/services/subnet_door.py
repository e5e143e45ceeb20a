"""The subnet's door in the process that has the gates."""

from spillway.domain.requests import InferenceRequest, Terms
from spillway.ports import Result
from spillway.ports.running import Started
from spillway.services.backends import Backends
from spillway.services.generation import Generation
from spillway.services.keeping import Keeper


class OwnGates:
    """Port SubnetDoor through this process's own gates."""

    def __init__(self, backends: Backends, keeper: Keeper):
        self._backends, self._keeper = backends, keeper

    async def infer(self, request: InferenceRequest, terms: Terms, patience_s: float, started: Started) -> Result:
        """See ports.running."""
        return await Generation(self._backends, self._keeper, request, terms).patiently(patience_s, started)

    async def close(self) -> None:
        """The gates and connections are the front door's."""
