"""Replies: the headers that every answer carries, and errors in each API family's own shape, by one table."""

import logging
import math
import random
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from pydantic_core import to_json
from starlette.types import Send

from spillway.errors import (
    BadRequest,
    CallerError,
    NobodyAnswered,
    Overflow,
    Overloaded,
    QueueFull,
    RequestRejected,
    StoreUnavailable,
)
from spillway.ports import Served

log = logging.getLogger("spillway")
NOBODY_RETRY_S = STORE_RETRY_S = 5.0
RawHeaders = list[tuple[bytes, bytes]]


class Family(Enum):
    """Whose API a path belongs to."""

    LIVEPEER = "livepeer"
    OPENAI = "openai"
    PROBLEM = "problem"


def family_of(path: str, pipelines: Iterable[str]) -> Family:
    """The family of a path, known or not."""
    if path == "/v1" or path.startswith("/v1/"):
        return Family.OPENAI
    return Family.LIVEPEER if any(path == f"/{name}" for name in pipelines) else Family.PROBLEM


class Fault:
    """An error as a reply: `status`, the words, and the headers that go with it."""

    def __init__(self, error: BaseException, request_id: str):
        self.headers: dict[str, str] = {}
        self.param: str | None = None
        self.body: Mapping[str, Any] | None = None
        match error:
            case CallerError():
                self._caller(error)
            case NobodyAnswered():
                self._say(*_nobody(error), str(error), _come_back(error))
            case Overloaded():
                self._say(503, "overloaded", str(error), error.retry_after_s)
            case QueueFull():
                self._say(429, "queue_full", str(error), error.retry_after_s)
            case StoreUnavailable():
                self._say(503, "store_unavailable", "nothing can be kept or read just now", STORE_RETRY_S)
            case Overflow():
                self._say(502, "answer_broke_off", f"the answer broke off: {error}")
            case _:
                self._say(500, "internal_error", f"something went wrong here; tell us the request id {request_id}")
                log.error("request %s failed inside", request_id, exc_info=error)

    def _say(self, status: int, code: str, message: str, retry_after_s: float | None = None) -> None:
        self.status, self.code, self.message = status, code, message
        if retry_after_s is not None:
            self.headers["retry-after"] = str(max(1, math.ceil(retry_after_s)))

    def _caller(self, error: CallerError) -> None:
        self._say(error.status, error.code, error.message)
        self.param = error.param
        self.headers.update(error.headers)
        if isinstance(error, RequestRejected):
            self.body = error.body

    def rendered(self, family: Family) -> bytes:
        """The body in the family's shape."""
        return to_json(self.as_dict(family))

    def as_dict(self, family: Family) -> dict[str, Any]:
        """The body in the family's shape, before it is JSON."""
        if family is Family.OPENAI:
            return {"error": {"message": self.message, "type": self._type(), "param": self.param, "code": self.code}}
        if family is Family.PROBLEM:
            return {"type": "about:blank", "title": self.code, "status": self.status, "detail": self.message}
        if self.body and "detail" in self.body:
            return {"error": {"message": self.message}, **self.body}
        detail: Any = {"msg": self.message}
        if self.status == 422:
            detail = [{"loc": [], "msg": self.message, "type": self.code}]
        return {"error": {"message": self.message}, "detail": detail}

    def _type(self) -> str:
        if self.status == 401:
            return "authentication_error"
        if self.status == 429:
            return "rate_limit_error"
        return "invalid_request_error" if self.status < 500 else "server_error"


def _nobody(error: NobodyAnswered) -> tuple[int, str]:
    if error.late:
        return 504, "deadline_exceeded"
    return (429, "budget_spent") if error.spent else (503, "no_capacity")


def _come_back(error: NobodyAnswered) -> float:
    """Until the first of them may answer: one whose money is spent at midnight, the subnet perhaps in a moment."""
    asked = [failure.retry_after_s for _, failure in error.failures]
    return min((seconds for seconds in (*asked, error.slot_in_s) if seconds), default=NOBODY_RETRY_S)


def new_request_id() -> str:
    """A random id."""
    return f"{random.getrandbits(96):024x}"


def answer_headers(served: Served | None, request_id: str, *, under_way: bool = False) -> RawHeaders:
    """What every pipeline answer says of how it came about; `under_way` counts the try that a stream comes from."""
    headers: RawHeaders = [(b"x-request-id", request_id.encode())]
    if served is None:
        return headers
    if served.served_by:
        headers.append((b"x-spillway-served-by", served.served_by.encode()))
        headers.append((b"x-spillway-model", _ascii(served.model)))
    headers.append((b"x-spillway-attempts", str(len(served.attempts) + under_way).encode()))
    headers.append((b"server-timing", _timing(served)))
    return headers


def _timing(served: Served) -> bytes:
    subnet = hosted = 0.0
    for attempt in served.attempts:
        if attempt.backend == "subnet":
            subnet += attempt.seconds
        else:
            hosted += attempt.seconds
    timing = f"queue;dur={served.queue_s * 1000:.1f}, subnet;dur={subnet * 1000:.1f}, fallback;dur={hosted * 1000:.1f}"
    return (timing + f', policy;desc="{served.reason}"' if served.reason else timing).encode()


def _ascii(text: str) -> bytes:
    """A header value: a model's name may come from anybody."""
    short = text[:200]
    if not (short.isascii() and short.isprintable()):
        short = "".join(char if " " <= char <= "~" else "?" for char in short)
    return short.encode()


async def send_bytes(send: Send, status: int, body: bytes, content_type: bytes, headers: RawHeaders) -> None:
    """One whole reply."""
    start = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})


async def send_fault(
    send: Send, error: BaseException, family: Family, request_id: str, served: Served | None = None
) -> None:
    """The reply to an error."""
    fault = Fault(error, request_id)
    extra = [(name.encode(), value.encode()) for name, value in fault.headers.items()]
    content_type = b"application/problem+json" if family is Family.PROBLEM else b"application/json"
    # A refused body may still be on its way: the connection can't be used again.
    if isinstance(error, BadRequest) and error.status == 413:
        extra.append((b"connection", b"close"))
    await send_bytes(
        send, fault.status, fault.rendered(family), content_type, answer_headers(served, request_id) + extra
    )
