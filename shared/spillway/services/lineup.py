"""Which backends may answer one request, and in what order. None is the subnet."""

from spillway.domain.requests import InferenceRequest
from spillway.domain.routes import Fallback, Route
from spillway.services.backends import Backends


class Lineup:
    """Those that were not asked yet. Empty until it is arranged."""

    def __init__(self, backends: Backends, route: Route, request: InferenceRequest):
        self._backends, self._route, self._request = backends, route, request
        self._ahead: list[Fallback | None] = []
        self._window: int | None = None

    def __len__(self) -> int:
        return len(self._ahead)

    @property
    def subnet_can(self) -> bool:
        """Whether the subnet could answer at all."""
        return self._backends.subnet is not None and not self._request.beyond_subnet

    def hosted(self) -> list[Fallback]:
        """The fallbacks that could answer, best first; those that asked to be left alone come last."""
        return sorted(filter(self._usable, self._route.fallbacks), key=lambda one: self._backends.rests(one.place))

    def _usable(self, fallback: Fallback) -> bool:
        if fallback.provider not in self._backends.hosted:
            return False
        return not self._request.beyond_subnet or self._backends.routes.providers[fallback.provider].kind == "openai"

    def arrange(self, ahead: list[Fallback | None]) -> None:
        """They are to be asked in this order."""
        self._ahead = ahead

    def take(self) -> Fallback | None:
        """The next one."""
        return self._ahead.pop(0)

    def take_hosted(self) -> Fallback | None:
        """The next that is hosted inference; None where there is none."""
        hosted = next((fallback for fallback in self._ahead if fallback is not None), None)
        if hosted is not None:
            self._ahead.remove(hosted)
        return hosted

    def large_enough(self, fallback: Fallback | None) -> bool:
        """Whether its window is larger than those that were too small."""
        return self._window is None or self._larger(fallback)

    def outgrow(self, fallback: Fallback | None) -> bool:
        """The window of this one was too small: whether one with a larger one is left."""
        window = fallback.context_tokens if fallback else self._route.context_tokens
        self._window = max(window or 0, self._window or 0)
        return any(self._larger(fallback) for fallback in self._ahead)

    def _larger(self, fallback: Fallback | None) -> bool:
        return fallback is not None and (fallback.context_tokens or 0) > (self._window or 0)
