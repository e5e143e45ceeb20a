"""One node of a chain, called through web3's provider; its requests alone, as the formatters above it are slow.

Nodes agree on answers but not on how they refuse: what a refusal means is read from its words.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
from web3 import AsyncHTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from spillway.domain.outcomes import retry_after_seconds
from spillway.errors import ChainTooMuch, ChainUnavailable, ChainWrong

TRY_S = 10.0
CONNECT_S = 3.0
# Shorter than the idle limit of any server met, so that none closes a connection under a request.
KEEPALIVE_S = 4.0
LOGS = "eth_getLogs"
_RATE = re.compile(
    r"\brate\b|throttl|per second|too many requests|request count|requests? limit|compute unit|capacity|quota|busy",
    re.IGNORECASE,
)
_RATE_CODES = {429, -32016, -32029}
_REFUSED = frozenset({401, 403, 404, 405})
_TOO_HARD = frozenset({408, 500, 504, 524})
"""What a question for logs that takes too long is answered with, by nodes and by those who stand before them."""


class Node:
    """A node at a URL, which is a secret as a rule: errors name its host and port alone. Connected on first use."""

    def __init__(self, url: str, *, try_s: float = TRY_S):
        self.name = urlsplit(url).netloc.rpartition("@")[2]
        self._provider = _Provider(url, aiohttp.ClientTimeout(total=try_s, connect=CONNECT_S))

    async def call(self, method: str, *params: Any) -> Any:
        """The result. Raises ChainUnavailable; ChainTooMuch for what may be given in smaller parts; ChainWrong."""
        with translated(self.name, logs=method == LOGS):
            answer = await self._provider.make_request(RPCEndpoint(method), list(params))
        if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
            raise ChainWrong(f"{self.name} answers {method} with what is no JSON-RPC")
        if answer.get("error") is not None:
            raise self._refusal(method, answer["error"])
        return cast("dict[str, Any]", answer)["result"]

    async def close(self) -> None:
        """Close the connections."""
        await self._provider.disconnect()

    def _refusal(self, method: str, error: Any) -> ChainUnavailable | ChainTooMuch:
        """Any other refusal of logs may be one of their number: there are as many wordings as makers of nodes."""
        code, message = (
            (error.get("code"), str(error.get("message"))) if isinstance(error, dict) else (None, str(error))
        )
        story = f"{self.name} refuses {method} ({code}: {message[:200]})"
        if code in _RATE_CODES or _RATE.search(message):
            return ChainUnavailable(story, retry_after_s=1.0)
        return ChainTooMuch(story) if method == LOGS else ChainUnavailable(story)


class _Provider(AsyncHTTPProvider):
    """web3's, over one session of our own.

    web3's way to a session makes a connection for each request, and takes a lock in a thread: a call that is cancelled
    there leaves it taken, and no call to any node ever ends after that (web3 8.0.0).
    """

    def __init__(self, url: str, timeout: aiohttp.ClientTimeout):
        super().__init__(url, {"timeout": timeout}, exception_retry_configuration=None)
        self._session: aiohttp.ClientSession | None = None

    async def disconnect(self) -> None:
        session, self._session = self._session, None
        if session:
            await session.close()

    async def _make_request(self, method: RPCEndpoint, request_data: bytes) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(keepalive_timeout=KEEPALIVE_S))
        kwargs: dict[str, Any] = dict(self.get_request_kwargs())
        async with self._session.post(str(self.endpoint_uri), data=request_data, **kwargs) as response:
            response.raise_for_status()
            return await response.read()


@contextmanager
def translated(node: str, *, logs: bool = False) -> Iterator[None]:
    """Turn what web3, aiohttp and json raise into a ChainError; `logs` are what can be asked for in smaller parts."""
    try:
        yield
    except aiohttp.ClientResponseError as error:
        raise _of_status(node, error, logs=logs) from error
    except TimeoutError as error:
        story = f"{node} did not answer in time"
        raise (ChainTooMuch(story, slow=True) if logs else ChainUnavailable(story)) from error
    except (aiohttp.ClientError, OSError, Web3Exception) as error:
        raise ChainUnavailable(f"{node} gave no answer ({type(error).__name__})") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ChainWrong(f"{node}'s answer is not JSON") from error


def _of_status(node: str, error: aiohttp.ClientResponseError, *, logs: bool) -> ChainUnavailable | ChainTooMuch:
    story = f"{node} answers with status {error.status}"
    if logs and error.status in _TOO_HARD:
        return ChainTooMuch(story, slow=True)
    if not logs or error.status == 429 or error.status >= 500 or error.status in _REFUSED:
        header = error.headers.get("retry-after") if error.headers else None
        return ChainUnavailable(story, retry_after_s=retry_after_seconds(header, now_epoch_s=time.time()))
    return ChainTooMuch(story)
