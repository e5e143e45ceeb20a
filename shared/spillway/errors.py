"""Every error that Spillway raises on purpose, in one tree.

SpillwayError
├── BadSettings                 a setting or the routes file is wrong: the start stops, with one line
├── CallerError                 goes back to the caller, never on to another backend
│   ├── BadRequest              found by Spillway itself
│   ├── RequestRejected         the backend's own 400, 401, 413, 415 or 422, passed on as it is
│   ├── KeyRefused              no key, or one that is not known or works no more
│   ├── NotAllowed              the key is not for this, or not for this web page
│   ├── RateLimited             the key's requests come faster than it may send them
│   ├── ContentRefused          a hosted provider's safety refusal
│   └── ContextTooLong          more tokens than the model's window; a fallback with a larger one may take it
├── Overflow                    "try the next backend", and nothing else means that
│   ├── NoCapacity              503, 429
│   │   ├── Unreachable         closed without an answer, refused, DNS, TLS, a proxy's 403, 404, 502, 504
│   │   └── MoneySpent          the day's money for hosted inference does not hold the job
│   ├── BrokenAnswer            a 200 that is empty, cut, stalled, not JSON, or whose media are not whole
│   ├── BackendFailed           500, or a job that the backend gave up: falls back and counts as an alarm
│   └── TooSlow                 no answer within the time that this try had
├── NobodyAnswered              every backend overflowed
├── Overloaded                  Spillway itself can't take the request just now: no room, or no way to check its key
├── QueueFull                   as many jobs wait as the route lets wait
├── StoreUnavailable            the shared store gave no answer; a write may have been made all the same
├── QueueUnavailable            the queue took no word; a sweep says it again
├── ChainError                  the chain could not be read; nothing of the answer was kept
│   ├── ChainUnavailable        no node answered, or only to say "not now"
│   ├── ChainTooMuch            a node would have answered to a smaller question
│   └── ChainWrong              a node's answer can't be true, or nodes say different things: an alarm
├── Conflict                    a document is no longer, or not yet, the version that was to be replaced
├── Postponed                   a job can't be tried by anybody just now, for no reason of its own
├── JobOver                     a job that has ended takes no further step
├── MessageGone                 the message that was to be filled was taken out of the channel
└── MediaBroken                 a picture, video or sound that is not whole
"""

import math
from collections.abc import Mapping
from typing import Any


class SpillwayError(Exception):
    """The root of the tree."""


class BadSettings(SpillwayError):
    """A setting or the routes file is wrong; the message names it and says what to change."""


class CallerError(SpillwayError):
    """The caller's to mend: `status` is the HTTP status, `code` a stable word for programs, `param` the field."""

    def __init__(self, message: str, *, status: int = 400, code: str = "invalid_request", param: str | None = None):
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.headers: Mapping[str, str] = {}


class BadRequest(CallerError):
    """Spillway found the request wrong before any backend was tried."""


class KeyRefused(CallerError):
    """401: the caller gave no key, or one that nobody knows, that was revoked or whose time is over."""

    def __init__(self, message: str, *, code: str = "invalid_api_key"):
        super().__init__(message, status=401, code=code)


class NotAllowed(CallerError):
    """403: the caller is known, and may not do this."""

    def __init__(self, message: str, *, code: str = "not_allowed"):
        super().__init__(message, status=403, code=code)


class RateLimited(CallerError):
    """429: the caller's requests come too fast; the next may come after `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: float):
        super().__init__(message, status=429, code="rate_limited")
        self.headers = {"retry-after": str(max(1, math.ceil(retry_after_s)))}


class RequestRejected(CallerError):
    """The backend's own verdict on the request; `body` is its JSON answer, where there was one."""

    def __init__(
        self, message: str, *, status: int, body: Mapping[str, Any] | None = None, code: str = "request_rejected"
    ):
        super().__init__(message, status=status, code=code)
        self.body = body


class ContentRefused(CallerError):
    """A hosted provider would not make this; another must not be asked to."""

    def __init__(self, message: str, *, code: str = "content_refused"):
        super().__init__(message, status=400, code=code)


class ContextTooLong(CallerError):
    """The prompt has more tokens than the model's window."""

    def __init__(self, message: str):
        super().__init__(message, status=400, code="context_length_exceeded", param="messages")


class Overflow(SpillwayError):
    """This backend did not answer; the next one may.

    `retry_after_s` is how long the backend asked to be left alone, None where it did not say.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NoCapacity(Overflow):
    """The backend turned the job away."""


class Unreachable(NoCapacity):
    """The backend, or the way to it, gave no answer at all; `arrived` is False where it can't have seen the try.

    `slow` marks a connection that was waited for in vain: to wait again would cost the caller as much again.
    """

    def __init__(self, message: str, *, arrived: bool = True, slow: bool = False, retry_after_s: float | None = None):
        super().__init__(message, retry_after_s=retry_after_s)
        self.arrived = arrived
        self.slow = slow


class MoneySpent(NoCapacity):
    """The day's money for hosted inference does not hold the job; `retry_after_s` is until it may."""


class BrokenAnswer(Overflow):
    """The backend answered, but not with a whole result."""


class BackendFailed(Overflow):
    """The backend took the job and failed."""


class TooSlow(Overflow):
    """No answer, or no further word, within the time allowed."""


class NobodyAnswered(SpillwayError):
    """Every backend overflowed; `failures` are (backend, error) in the order tried.

    `slot_in_s` is when the subnet may have a slot, None for a request that may not go there.
    """

    def __init__(self, failures: list[tuple[str, Overflow]], *, late: bool, slot_in_s: float | None = None):
        story = "; ".join(f"{name}: {error}" for name, error in failures) or "no backend is configured for this route"
        super().__init__(f"no backend could answer ({story})")
        self.failures = failures
        self.late = late
        self.slot_in_s = slot_in_s

    @property
    def spent(self) -> bool:
        """Whether it was for want of money."""
        return any(isinstance(error, MoneySpent) for _, error in self.failures)


class Overloaded(SpillwayError):
    """Spillway can't take this request now; the caller may come back after `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueueFull(SpillwayError):
    """No more jobs are taken in now; `retry_after_s` is when there may be room again."""

    def __init__(self, message: str, *, retry_after_s: float):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class MediaBroken(SpillwayError):
    """A picture, video or sound can't be had or is not whole."""


class MessageGone(SpillwayError):
    """Somebody took the message out of the channel before it was filled, or after."""


class StoreUnavailable(SpillwayError):
    """The shared store can't be reached, was too slow or failed. Whether a write was made is not known."""


class QueueUnavailable(SpillwayError):
    """The queue can't be reached or was too slow. Whether the word went out is not known."""


class Postponed(SpillwayError):
    """A job has to wait for `pause_s` seconds: no money is left, or the subnet that alone may do it has no slot."""

    def __init__(self, message: str, *, pause_s: float):
        super().__init__(message)
        self.pause_s = pause_s


class JobOver(SpillwayError):
    """The job has ended, by itself or by its caller's wish: what was done for it is dropped."""


class Conflict(SpillwayError):
    """Somebody else changed the document since it was read; nothing was written."""


class ChainError(SpillwayError):
    """What nodes of the chain answered can't be used."""


class ChainUnavailable(ChainError):
    """No node gave an answer; `retry_after_s` is how long the last of them asked to be left alone, if it did."""

    def __init__(self, message: str, *, retry_after_s: float | None = None):
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ChainTooMuch(ChainError):
    """The range holds more than a node gives at once, or, where it is `slow`, took it too long."""

    def __init__(self, message: str, *, slow: bool = False):
        super().__init__(message)
        self.slow = slow


class ChainWrong(ChainError):
    """An answer that no honest node gives, or that another node contradicts."""
