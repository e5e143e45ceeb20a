"""What an answer of a backend means: the one place that decides it. The tables follow docs/faults.md."""

from asyncio import CancelledError
from collections.abc import Mapping
from typing import Any

from spillway.domain.controller import Ended
from spillway.errors import (
    BackendFailed,
    BrokenAnswer,
    CallerError,
    ContentRefused,
    ContextTooLong,
    NobodyAnswered,
    NoCapacity,
    Overflow,
    RequestRejected,
    SpillwayError,
    TooSlow,
    Unreachable,
)

CALLERS_FAULT = frozenset({400, 401, 413, 415, 422})
_REFUSED_TEXT = ("nsfw", "safety", "sensitive", "content policy", "moderation", "(e005)")


_Meaning = tuple[type[Overflow], str]

# go-livepeer speaks 200, 400, 500 and 503. Anything else that is not the caller's fault comes from between us and the
# gateway, so the gateway counts as unreachable.
SUBNET: Mapping[int, _Meaning] = {
    408: (TooSlow, "the gateway gave up waiting"),
    429: (NoCapacity, "no capacity"),
    500: (BackendFailed, "the gateway failed"),
    503: (NoCapacity, "no capacity"),
}

# A hosted provider's 401, 402, 403, 404 and 422 speak of our account and our routes, so they are failures that
# somebody must look at. The caller's request has passed our own checks: where a model does not take it, the next may.
HOSTED: Mapping[int, _Meaning] = {
    402: (NoCapacity, "no credit"),
    408: (TooSlow, "the provider gave up waiting"),
    429: (NoCapacity, "no capacity"),
    502: (Unreachable, "something in between failed"),
    503: (NoCapacity, "no capacity"),
    504: (TooSlow, "the provider gave up waiting"),
    529: (NoCapacity, "no capacity"),
}


def subnet_outcome(
    status: int, message: str, *, retry_after_s: float | None = None, body: Mapping[str, Any] | None = None
) -> SpillwayError:
    """The error that a subnet gateway's status other than 200 stands for."""
    if status in CALLERS_FAULT:
        if is_context_error(message, body):
            return ContextTooLong(message)
        return RequestRejected(message, status=status, body=body, code=error_code(body) or "request_rejected")
    if 200 <= status < 300:
        return BrokenAnswer(f"a {status} where a 200 is due")
    outcome, words = SUBNET.get(status, (Unreachable, "something in between answered"))
    return outcome(f"{words} ({status})", retry_after_s=retry_after_s)


def hosted_outcome(
    status: int, message: str, *, retry_after_s: float | None = None, body: Mapping[str, Any] | None = None
) -> SpillwayError:
    """The error that a hosted provider's status outside 2xx stands for."""
    if status in (400, 403, 422) and is_refusal(message, body):
        return ContentRefused(message, code=error_code(body) or "content_refused")
    if status in (400, 413, 422) and is_context_error(message, body):
        return ContextTooLong(message)
    outcome, words = HOSTED.get(status, (BackendFailed, f"the provider answered: {message}"[:300]))
    return outcome(f"{words} ({status})", retry_after_s=retry_after_s)


def is_refusal(message: str, body: Mapping[str, Any] | None = None) -> bool:
    """Whether an error says that the content was refused."""
    code = error_code(body)
    if code in ("content_filter", "content_policy_violation", "moderation_blocked"):
        return True
    return any(word in message.lower() for word in _REFUSED_TEXT)


def is_context_error(message: str, body: Mapping[str, Any] | None = None) -> bool:
    """Whether an error says that the prompt has too many tokens."""
    return error_code(body) == "context_length_exceeded" or "maximum context length" in message.lower()


def error_code(body: Mapping[str, Any] | None) -> str:
    """`error.code` of an OpenAI-shaped error body, "" where there is none."""
    error = body.get("error") if body else None
    code = error.get("code") or error.get("type") if isinstance(error, Mapping) else None
    return code if isinstance(code, str) else ""


def error_message(body: Any, default: str) -> str:
    """The words of an error body in any of the shapes that the backends use."""
    if not isinstance(body, Mapping):
        return default
    error, detail = body.get("error"), body.get("detail")
    for found in (error.get("message") if isinstance(error, Mapping) else error, detail, body.get("message")):
        if isinstance(found, str) and found:
            return found
        if isinstance(found, Mapping) and isinstance(found.get("msg"), str):
            return str(found["msg"])
    return default


def retry_after_seconds(header: str | None, *, now_epoch_s: float) -> float | None:
    """A Retry-After header in seconds from now: a number or an HTTP date, None where it is neither."""
    if not header:
        return None
    text = header.strip()
    try:
        seconds = float(text) if text.replace(".", "", 1).isdigit() else _http_date(text) - now_epoch_s
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, seconds)


def _http_date(text: str) -> float:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 (rare, and 3 ms to import)

    return parsedate_to_datetime(text).timestamp()


def kind_of(error: BaseException | None) -> str:
    """The word for an outcome in metrics, the status page and Server-Timing."""
    if error is None:
        return "served"
    return next((word for types, word in _WORDS if isinstance(error, types)), "fault")


# CancelledError and GeneratorExit: the caller went away.
_WORDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (Unreachable, "unreachable"),
    (NoCapacity, "no-capacity"),
    (BrokenAnswer, "broken-answer"),
    (BackendFailed, "failed"),
    (TooSlow, "too-slow"),
    (Overflow, "overflow"),
    (ContentRefused, "refused"),
    (ContextTooLong, "context-too-long"),
    (RequestRejected, "rejected"),
    (NobodyAnswered, "unanswered"),
    ((CancelledError, GeneratorExit), "canceled"),
)


def surely_unpaid(error: BaseException | None) -> bool:
    """Whether a provider has surely not begun a job: it turned it away, or never heard of it."""
    return isinstance(error, NoCapacity) and not (isinstance(error, Unreachable) and error.arrived)


def how_it_ended(error: BaseException | None, *, doubtful: bool) -> Ended:
    """What an outcome tells the policy; the 503 of a doubtful request may be its own doing."""
    if error is None:
        return Ended.SERVED
    if isinstance(error, NoCapacity):
        kind = Ended.UNREACHABLE if isinstance(error, Unreachable) else Ended.REFUSED
        return Ended.CALLER if doubtful else kind
    table = ((TooSlow, Ended.TIMEOUT), ((BrokenAnswer, BackendFailed), Ended.BROKEN), (CallerError, Ended.CALLER))
    return next((how for types, how in table if isinstance(error, types)), Ended.CANCELED)
