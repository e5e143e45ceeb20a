"""What a caller wants done, once the edge has understood it, and the terms on which it is to be done."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, Protocol

from spillway.domain.callers import NOBODY, Caller
from spillway.domain.pipelines import Pipeline

Prefer = Literal["auto", "subnet", "fallback", "subnet-only", "fallback-only"]


class Upload(Protocol):
    """A file that came with the request; it may be read any number of times."""

    @property
    def filename(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def size(self) -> int: ...

    def open(self) -> BinaryIO:
        """A fresh reader from the first byte."""
        ...


class Payload(Protocol):
    """The request as the subnet gateway is to get it; it may be sent any number of times."""

    @property
    def content_type(self) -> str: ...
    @property
    def size(self) -> int: ...

    def content(self) -> bytes | AsyncIterator[bytes]:
        """All of it at once where it is small, else in pieces."""
        ...


@dataclass(frozen=True, slots=True)
class JsonPayload:
    """A payload that is in memory."""

    data: bytes
    content_type: str = "application/json"

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    def content(self) -> bytes:
        """All of it."""
        return self.data


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """One job: `model` is the subnet's model id and never empty, `params` are the typed fields of the request.

    `beyond_subnet` names parameters that only an OpenAI-compatible provider can honour (tools, for example).
    `doubtful` marks an upload that is no picture we know: go-livepeer answers it with the same 503 as a full subnet.
    """

    pipeline: Pipeline
    model: str
    params: Mapping[str, Any]
    payload: Payload
    uploads: Mapping[str, Upload] = field(default_factory=dict)
    beyond_subnet: tuple[str, ...] = ()
    doubtful: bool = False

    @property
    def pictures(self) -> int:
        """How many pictures the answer must hold."""
        return int(self.params.get("num_images_per_prompt") or 1)


@dataclass(frozen=True, slots=True)
class Terms:
    """How a request is to be served, and for whom. `deadline_s` is None where the route's own holds.

    `place` is a job's among those that wait for the subnet (domain.fairness.place).
    """

    prefer: Prefer = "auto"
    deadline_s: float | None = None
    whole: bool | None = None
    public_url: str = ""
    caller: Caller = NOBODY
    place: str = ""

    @property
    def priority(self) -> int:
        """Its caller's."""
        return self.caller.priority
