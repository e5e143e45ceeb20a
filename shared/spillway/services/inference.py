"""The door to all answers: whole ones and streamed ones, from the same backends."""

from dataclasses import dataclass, field
from random import Random

from spillway.domain.requests import InferenceRequest, Terms
from spillway.services.backends import Backends
from spillway.services.conversation import Conversation
from spillway.services.fan_out import FanOut, may_split
from spillway.services.generation import Generation
from spillway.services.keeping import Keeper


@dataclass(frozen=True, slots=True)
class InferenceService:
    """What the edge asks for answers."""

    backends: Backends
    keeper: Keeper
    chance: Random = field(default_factory=Random)

    def whole(self, request: InferenceRequest, terms: Terms) -> Generation | FanOut:
        """A request to be answered at once and whole."""
        if may_split(request, terms, self.backends):
            return FanOut(self.backends, self.keeper, request, terms, self.chance)
        return Generation(self.backends, self.keeper, request, terms)

    def streamed(self, request: InferenceRequest, terms: Terms) -> Conversation:
        """A chat to be answered as it comes."""
        return Conversation(self.backends, request, terms)
