"""When the timed functions last came to the end of a round that left nothing over: who is late is seen by that."""

import logging
from collections.abc import Mapping

from spillway.errors import StoreUnavailable
from spillway.ports import Clock
from spillway.ports.store import Store
from spillway.services.exchange import BALANCER, TARGETS

log = logging.getLogger("spillway.rounds")

FOLDER = "rounds"
REDEMPTIONS = "redemptions"


class Rounds:
    """Writes them down, and reads them. `epoch` is the clock, in epoch seconds."""

    def __init__(self, store: Store, *, epoch: Clock):
        self._store, self._epoch = store, epoch

    async def ended(self, function: str) -> None:
        """A round of a function is over, and whole. A store that is away makes it look late, which it then is."""
        try:
            await self._store.write(FOLDER, function, {"at": self._epoch()})
        except StoreUnavailable as error:
            log.warning("that a round of %s was whole can't be written down: %s", function, error)

    async def last(self) -> Mapping[str, float]:
        """The end of the last whole round of each function, in epoch seconds. Raises StoreUnavailable."""
        ended = {one.key: one.body.get("at") for one in await self._store.list(FOLDER)}
        # The balancer publishes its targets at the end of each round, with their time.
        targets = await self._store.read(BALANCER, TARGETS)
        ended["balancer"] = targets.body.get("at") if targets else None
        # What makes no sense is no word of any round.
        return {function: float(at) for function, at in ended.items() if isinstance(at, int | float)}
