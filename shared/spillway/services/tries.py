"""One try of a request at one backend: what it holds while it is made, and what it leaves on the record."""

from dataclasses import dataclass

from spillway.domain.routes import Fallback
from spillway.ports import Attempt
from spillway.services.spending import Reservation


@dataclass(slots=True)
class Try:
    """A try; `fallback` is None for the subnet. `more` backends may follow, `key` is its name at the gate."""

    fallback: Fallback | None
    more: int
    started: float = 0.0
    usd: float = 0.0
    key: int | None = None
    reservation: Reservation | None = None
    beaten: bool = False

    @property
    def backend(self) -> str:
        """Its name in the served-by header."""
        return self.fallback.provider if self.fallback else "subnet"

    def record(self, error: BaseException | None, now: float) -> Attempt:
        """What became of it."""
        place = self.fallback.place if self.fallback else ""
        return Attempt.ended(self.backend, error, now - self.started, place)
