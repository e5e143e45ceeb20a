"""The door to all answers: whole ones and streamed ones, from the same backends."""

from dataclasses import dataclass

from spillway.domain.requests import InferenceRequest, Terms
from spillway.services.conversation import Conversation
from spillway.services.generation import Generation
from spillway.services.keeping import Keeper
from spillway.services.round import Backends


@dataclass(frozen=True, slots=True)
class InferenceService:
    """What the edge asks for answers."""

    backends: Backends
    keeper: Keeper

    def whole(self, request: InferenceRequest, terms: Terms) -> Generation:
        """A request to be answered at once and whole."""
        return Generation(self.backends, self.keeper, request, terms)

    def streamed(self, request: InferenceRequest, terms: Terms) -> Conversation:
        """A chat to be answered as it comes."""
        return Conversation(self.backends, request, terms)
