"""What the house needs from outside, each need a Protocol that adapters fulfil."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol, TypeVar

from spillway.domain.outcomes import kind_of
from spillway.domain.pipelines import Gives
from spillway.domain.requests import InferenceRequest
from spillway.errors import Overflow

Chunks = AsyncGenerator[dict[str, Any], None]
Target_contra = TypeVar("Target_contra", contravariant=True)


@dataclass(slots=True)
class Result:
    """A backend's whole answer in the shape of a Livepeer gateway's, and the model that gave it."""

    body: dict[str, Any]
    model: str


class Inference(Protocol[Target_contra]):
    """A backend that does jobs: `target` is the route (on the subnet) or the fallback (at a hosted provider).

    Each call is one paid try and is never repeated once it may have arrived. The caller of either method bounds its
    time and cancels it when that is over; `timeout_s` is told for those that can pass it on.
    """

    async def infer(self, request: InferenceRequest, target: Target_contra, timeout_s: float) -> Result:
        """One whole answer. Raises CallerError or Overflow; stops what it started when it is cancelled."""
        ...

    def stream(self, request: InferenceRequest, target: Target_contra, timeout_s: float) -> Chunks:
        """Chat chunks as they come, one of them with a finish_reason. Raises CallerError or Overflow."""
        ...

    async def close(self) -> None:
        """Finish what goes on in the background."""
        ...


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored result: `key` is its name, `etag` its SHA-256, `size` in bytes."""

    key: str
    content_type: str
    size: int
    etag: str


class Artifacts(Protocol):
    """Where results are kept and served from. Keys are content addresses, so a repeated put is harmless.

    Every call raises StoreUnavailable where it can't be made.
    """

    async def put(self, content: BinaryIO, content_type: str) -> Artifact:
        """Keep what the reader holds from its first byte, anew where it was kept already.

        Raises KeyError for a content type that is never served.
        """
        ...

    async def find(self, key: str) -> Artifact | None:
        """None where nothing is kept under this key, or the key is not one of ours."""
        ...

    def read(self, artifact: Artifact, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to, not including, `end`."""
        ...

    async def sweep(self, before: float) -> int:
        """Remove what was kept last before then (epoch seconds); how many they were."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Media(Protocol):
    """Fetches what a backend's answer points at. Raises MediaBroken."""

    async def fetch(self, url: str, *, timeout_s: float) -> BinaryIO:
        """The whole file, spooled; an http(s) or data URL."""
        ...


class Inspector(Protocol):
    """Tells whether media are whole, by decoding them."""

    async def inspect(self, content: BinaryIO, gives: Gives) -> str:
        """The true content type of a whole picture, video or sound. Raises MediaBroken."""
        ...


@dataclass(slots=True)
class Attempt:
    """One try at one backend, for the record: `outcome` is a word of domain.outcomes.kind_of.

    `place` is the hosted model or deployment (Fallback.place); empty for the subnet.
    """

    backend: str
    outcome: str
    seconds: float
    message: str = ""
    place: str = ""

    @classmethod
    def ended(cls, backend: str, error: BaseException | None, seconds: float, place: str = "") -> "Attempt":
        """A try that came to this; None is an answer. Only the words of an Overflow are fit for the record."""
        return cls(backend, kind_of(error), seconds, str(error) if isinstance(error, Overflow) else "", place)


@dataclass(slots=True)
class Served:
    """The record of one request, kept in figures only: no prompt, no picture."""

    pipeline: str
    model: str
    served_by: str = ""
    outcome: str = ""
    seconds: float = 0.0
    attempts: list[Attempt] = field(default_factory=list)
    usd: float = 0.0
    reason: str = ""
    queue_s: float = 0.0
    pictures: int = 1


class Ledger(Protocol):
    """Takes the record of every request."""

    def record(self, served: Served) -> None:
        """Never raises, never waits."""
        ...


Values = Mapping[str, float | Mapping[str, float]]
"""Metrics of a moment, by name: a value, or values by the metric's one label."""


class Exposition(Protocol):
    """Shows what has been counted to a monitoring system."""

    def expose(self, now: Values) -> tuple[str, bytes]:
        """A content type and a text of it, and of the values of this moment."""
        ...


class Collector(Protocol):
    """Takes in what has been counted. Its calls block, and it writes into the log what it could not take."""

    def send(self, now: Values) -> None:
        """All of it, and the values of this moment."""
        ...

    def close(self) -> None:
        """No more comes."""
        ...


class Clock(Protocol):
    """Monotonic seconds."""

    def __call__(self) -> float: ...
