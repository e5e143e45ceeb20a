"""Every error of the HTTP stack has an outcome, and the right one."""

import asyncio
import ssl
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx
import pytest

from spillway.adapters.http import HttpPool, headers, overflow, translated
from spillway.errors import BrokenAnswer, Overflow, TooSlow, Unreachable
from support.library_errors import errors_of, instance

KEY: Any = SimpleNamespace(host="h", port=1, ssl=True, is_ssl=True)
INFO: Any = SimpleNamespace(real_url="http://h", method="POST", url="http://h", headers={})
ARGUMENTS: Any = (("x",), (KEY, OSError(1, "x")), (KEY, ssl.SSLCertVerificationError()), (INFO, ()), (0, "a", "b"))
ALL = sorted(
    {
        *errors_of(aiohttp, aiohttp.ClientError),
        *errors_of(httpx, httpx.HTTPError),
        httpx.InvalidURL,
        TimeoutError,
        OSError,
    },
    key=lambda error: f"{error.__module__}.{error.__name__}",
)


@pytest.mark.parametrize("error", ALL, ids=lambda error: f"{error.__module__}.{error.__name__}")
def test_every_error_becomes_an_overflow(error: type[BaseException]) -> None:
    with pytest.raises(Overflow), translated("subnet"):
        raise instance(error, *ARGUMENTS)


NOT_ARRIVED = {
    "ClientConnectorError", "ClientConnectorSSLError", "ClientConnectorCertificateError",
    "ClientConnectorDNSError", "ClientProxyConnectionError", "UnixClientConnectorError", "ClientSSLError",
    "ConnectionTimeoutError", "ConnectError", "ConnectTimeout", "InvalidURL", "InvalidUrlClientError",
    "InvalidUrlRedirectClientError", "NonHttpUrlClientError", "NonHttpUrlRedirectClientError",
    "RedirectClientError", "UnsupportedProtocol",
}  # fmt: skip


@pytest.mark.parametrize("error", ALL, ids=lambda error: f"{error.__module__}.{error.__name__}")
def test_only_a_connection_never_made_proves_that_nothing_arrived(error: type[BaseException]) -> None:
    outcome = overflow(instance(error, *ARGUMENTS), "subnet")
    assert (isinstance(outcome, Unreachable) and not outcome.arrived) <= (error.__name__ in NOT_ARRIVED)


async def serve_once(answer: bytes, *, reset: bool = False) -> tuple[asyncio.Server, str]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if reset:
            writer.transport.abort()
        else:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("answer", "reset", "expected"),
    [
        (b"", False, Unreachable),
        (b"", True, Unreachable),
        (b"rubbish\r\n\r\n", False, BrokenAnswer),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", False, BrokenAnswer),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", False, BrokenAnswer),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", True, BrokenAnswer),
    ],
)
async def test_real_faults_of_a_real_server(answer: bytes, reset: bool, expected: type[Overflow]) -> None:
    server, url = await serve_once(answer, reset=reset)
    pool = HttpPool()
    with pytest.raises(expected) as caught, translated("subnet"):
        response = await pool.send("POST", url, headers=headers(), content=b"{}")
        async with aclosing(response):
            with translated("subnet", answered=True):
                await anext(response.aiter_raw())
                await anext(response.aiter_raw())
    assert not isinstance(caught.value, Unreachable) or caught.value.arrived
    await pool.aclose()
    server.close()


async def test_refused_connection_has_not_arrived() -> None:
    server, url = await serve_once(b"")
    server.close()
    await server.wait_closed()
    pool = HttpPool()
    with pytest.raises(Unreachable) as caught, translated("subnet"):
        await pool.send("POST", url, headers=headers(), content=b"{}")
    assert not caught.value.arrived
    await pool.aclose()


async def test_unknown_host_has_not_arrived() -> None:
    pool = HttpPool()
    with pytest.raises(Unreachable) as caught, translated("subnet"):
        await pool.send("POST", "http://nowhere.invalid/", headers=headers(), content=b"{}")
    assert not caught.value.arrived
    await pool.aclose()


def test_silence_is_too_slow() -> None:
    assert isinstance(overflow(TimeoutError(), "subnet"), TooSlow)
