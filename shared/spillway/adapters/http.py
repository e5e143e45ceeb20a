"""The one pool of HTTP connections: httpx's API over aiohttp's connections (docs/decisions/0001-http-client.md).

aiohttp's errors are translated here. What matters most is whether a try can have arrived: only a connection that
was never made proves that it has not.
"""

import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic_core import from_json

from spillway.adapters.public_net import PublicResolver, public_socket
from spillway.domain.chat import parse_chunk
from spillway.domain.event_stream import DONE, Event, EventDecoder
from spillway.domain.outcomes import error_message, retry_after_seconds
from spillway.errors import BrokenAnswer, Overflow, TooSlow, Unreachable

CONNECT_TIMEOUT_S = 3.0
# Shorter than the idle limit of any server met (uvicorn and node close after 5 s), so that a connection is not closed
# under a request that is just going out: that could not be told from a try that arrived.
KEEPALIVE_S = 4.0
LARGEST_ANSWER = 128 * 1024 * 1024
LARGEST_ERROR = 64 * 1024
USER_AGENT = "spillway"


class HttpPool(AiohttpTransport):
    """The pool: connected to nothing yet, without limits, redirects, cookies or retries.

    It is an httpx transport for those who need one. `send` is the way of requests: httpx's client, request and response
    around an exchange of 60 us took 500 us, then 40, for nothing that is wanted here.
    """

    def __init__(self, *, public_only: bool = False):
        """With `public_only` no connection leads to the inside."""
        # The session below checks certificates with aiohttp's own context; httpx's would be loaded for nothing.
        super().__init__(verify=False, client=lambda: _session(public_only=public_only))

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes | AsyncIterator[bytes] = b""
    ) -> "Answer":
        """One exchange as far as the answer's headers; the body is still to be read. aiohttp names the host."""
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = self.get_client()
        sent = self.client.request(
            method, url, headers=headers, data=content or None, allow_redirects=False, timeout=CONNECTING
        )
        return Answer(await sent)


class CarryingPool(HttpPool):
    """A pool whose every request says more, such as the trace that it belongs to."""

    def __init__(self, carries: Callable[[], Mapping[str, str]]):
        super().__init__()
        self._carries = carries

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes | AsyncIterator[bytes] = b""
    ) -> "Answer":
        """See HttpPool."""
        return await super().send(method, url, headers={**headers, **self._carries()}, content=content)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx calls it."""
        request.headers.update(self._carries())
        return await super().handle_async_request(request)


class Answer:
    """As much of an httpx.Response as is used here, right on aiohttp's own. Whoever has it closes it."""

    def __init__(self, response: aiohttp.ClientResponse):
        self._response = response
        self.status_code = response.status
        self.headers: Mapping[str, str] = response.headers
        """Whatever the case of their names."""

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        return aiter(self._response.content.iter_any())

    async def aclose(self) -> None:
        """Let the connection go: to the next request where the body was read, else to its end."""
        self._response.release()
        await self._response.wait_for_close()


def _session(*, public_only: bool) -> aiohttp.ClientSession:
    guard: dict[str, Any] = {"resolver": PublicResolver(), "socket_factory": public_socket} if public_only else {}
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, **guard)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)


# Whoever waits for a whole answer, or for the next word of one, bounds that; here only connecting is bounded.
CONNECTING = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S)
UNBOUNDED = {"timeout": {"connect": CONNECT_TIMEOUT_S, "read": None, "write": None, "pool": None}}
"""The same for httpx."""


def headers(**more: str) -> dict[str, str]:
    """What every exchange says; bodies come as they are, so that a cut one can be told from a whole one."""
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {"user-agent": USER_AGENT, "accept-encoding": "identity", "accept": "*/*", **named}


@contextmanager
def translated(backend: str, *, answered: bool = False) -> Iterator[None]:
    """Turn what httpx, aiohttp and asyncio raise into an Overflow; `answered` once the status has come."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError, TimeoutError) as error:
        outcome = overflow(error, backend)
        if answered and isinstance(outcome, Unreachable):
            outcome = BrokenAnswer(f"{backend}'s answer was cut ({_cause(error)})")
        raise outcome from error


def overflow(error: BaseException, backend: str) -> Overflow:
    """The outcome that an error of the HTTP stack stands for.

    httpx-aiohttp folds a connection closed without an answer into ConnectTimeout, so there the cause decides.
    """
    cause = _cause(error)
    name = type(cause).__name__
    for types, outcome in _OUTCOMES:
        if isinstance(cause, types):
            return outcome(backend, name)
    return Unreachable(f"{backend} closed the connection without an answer ({name})")


def _cause(error: BaseException) -> BaseException:
    """aiohttp's error where httpx's stands for one."""
    under = error.__cause__
    return under if isinstance(error, httpx.HTTPError) and isinstance(under, aiohttp.ClientError | OSError) else error


_OUTCOMES: tuple[tuple[tuple[type[BaseException], ...], Callable[[str, str], Overflow]], ...] = (
    (
        (aiohttp.ConnectionTimeoutError,),
        lambda backend, _: Unreachable(
            f"{backend} can't be connected to in {CONNECT_TIMEOUT_S:g} s", arrived=False, slow=True
        ),
    ),
    (
        (aiohttp.ServerTimeoutError, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout, TimeoutError),
        lambda backend, _: TooSlow(f"{backend} was silent for too long"),
    ),
    (
        (aiohttp.ClientConnectorError, httpx.ConnectError, socket.gaierror, httpx.ConnectTimeout),
        lambda backend, name: Unreachable(f"{backend} can't be connected to ({name})", arrived=False),
    ),
    (
        (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, httpx.InvalidURL, httpx.UnsupportedProtocol),
        lambda backend, _: Unreachable(f"{backend} has an address that is no URL", arrived=False),
    ),
    (
        (aiohttp.ClientPayloadError, httpx.ReadError, httpx.DecodingError),
        lambda backend, name: BrokenAnswer(f"{backend}'s answer was cut ({name})"),
    ),
    (
        (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
        lambda backend, name: BrokenAnswer(f"{backend}'s answer is not HTTP ({name})"),
    ),
)


def retry_after(answer_headers: Mapping[str, str]) -> float | None:
    """The Retry-After of an answer, in seconds from now."""
    header = answer_headers.get("retry-after")
    return retry_after_seconds(header, now_epoch_s=time.time()) if header else None


async def read_bounded(response: Answer, limit: int, backend: str) -> bytes:
    """The whole body. Raises BrokenAnswer past `limit` bytes, and where it ends too early."""
    pieces, size = [], 0
    with translated(backend, answered=True):
        async for piece in response.aiter_raw():
            size += len(piece)
            if size > limit:
                raise BrokenAnswer(f"{backend}'s answer is larger than {limit} bytes")
            pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def chat_chunks(response: Answer, backend: str) -> AsyncGenerator[dict[str, Any], None]:
    """The chunks of a streamed chat answer, to its end. Raises BrokenAnswer for rubbish and for a cut.

    A clean end says nothing: whether the answer is complete, the finish_reason tells.
    """
    if "text/event-stream" not in response.headers.get("content-type", ""):
        raise BrokenAnswer(f"{backend} was asked for a stream and sent something else")
    decoder = EventDecoder()
    with translated(backend, answered=True):
        async for piece in response.aiter_raw():
            for event in _events(decoder, piece, backend):
                if event.data == DONE:
                    return
                yield parse_chunk(event.data, backend)


def _events(decoder: EventDecoder, piece: bytes, backend: str) -> Iterator[Event]:
    try:
        yield from decoder.feed(piece)
    except ValueError as error:
        raise BrokenAnswer(f"{backend}'s stream is not an event stream") from error


def json_body(raw: bytes, backend: str) -> Any:
    """The JSON of an answer. Raises BrokenAnswer where there is none."""
    try:
        return from_json(raw)
    except ValueError as error:
        raise BrokenAnswer(f"{backend}'s answer is {'not JSON' if raw.strip() else 'empty'}") from error


async def error_body(response: Answer, backend: str) -> tuple[str, dict[str, Any] | None]:
    """The words and the JSON object of an error's answer, as far as it has them and they are not too long."""
    raw = b""
    with translated(backend, answered=True):
        async for piece in response.aiter_raw():
            raw += piece
            if len(raw) > LARGEST_ERROR:
                break
    try:
        body = from_json(raw)
    except ValueError:
        body = None
    return error_message(body, f"{backend} gave no reason"), body if isinstance(body, dict) else None
