"""Fetches the pictures, videos and sounds that answers point at, and nothing that leads to the inside.

The hosts of the configured backends are trusted. Any other address comes from outside, so it must resolve to public
addresses only; the check is made where the connection is made, so a name that changes its mind gains nothing.
"""

import asyncio
import base64
import binascii
import ipaddress
import tempfile
from collections.abc import Iterable
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from spillway.adapters.http import Answer, HttpPool, headers, translated
from spillway.adapters.public_net import is_public
from spillway.errors import MediaBroken, Overflow

LARGEST_MEDIA = 256 * 1024 * 1024
IN_MEMORY = 1024 * 1024


# A result has been paid for: a read that fails on the way is worth repeating, inside the time that it has.
_FETCHING = AsyncRetrying(
    retry=retry_if_exception_type(Overflow),
    stop=stop_after_attempt(3),
    wait=wait_random_exponential(0.1, 1),
    reraise=True,
)


class HttpMedia:
    """Adapter of ports.Media. `trusted` are hosts that may be on the inside; `public` refuses the inside."""

    def __init__(self, pool: HttpPool, public: HttpPool, *, trusted: Iterable[str], allow_private: bool):
        self._pool = pool
        self._public = public
        self._trusted = frozenset(trusted)
        self._allow_private = allow_private

    async def fetch(self, url: str, *, timeout_s: float) -> BinaryIO:
        """The whole file, in memory up to 1 MiB and on disk beyond. Raises MediaBroken."""
        if url.startswith("data:"):
            return _spooled(_data_url(url))
        pool = self._pool_for(url)
        try:
            async with asyncio.timeout(timeout_s):
                return await _FETCHING(self._download, pool, url)
        except (Overflow, TimeoutError) as error:
            raise MediaBroken(f"its media can't be had: {error or 'too slow'}") from error

    def _pool_for(self, url: str) -> HttpPool:
        host = urlsplit(url).hostname
        if not host or urlsplit(url).scheme not in ("http", "https"):
            raise MediaBroken("its media have an address that is no http URL")
        if self._allow_private or host in self._trusted:
            return self._pool
        if _is_literal(host) and not is_public(host):
            raise MediaBroken("its media are at a private address")
        return self._public

    async def _download(self, pool: HttpPool, url: str) -> BinaryIO:
        with translated("the media's server"):
            response = await pool.send("GET", url, headers=headers())
        try:
            if response.status_code != 200:
                raise MediaBroken(f"its media can't be had: {response.status_code}")
            with translated("the media's server", answered=True):
                return await _spool(response)
        finally:
            await response.aclose()


async def _spool(response: Answer) -> BinaryIO:
    content, size = _spooled(b""), 0
    try:
        async for piece in response.aiter_raw():
            size += len(piece)
            if size > LARGEST_MEDIA:
                raise MediaBroken(f"its media are larger than {LARGEST_MEDIA} bytes")
            content.write(piece)
    except BaseException:
        content.close()
        raise
    return content


def _spooled(start: bytes) -> BinaryIO:
    content = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (its caller closes it)
    content.write(start)
    return cast("BinaryIO", content)


def _data_url(url: str) -> bytes:
    head, _, body = url.partition(",")
    try:
        return base64.b64decode(body, validate=True) if head.endswith(";base64") else body.encode()
    except (binascii.Error, ValueError) as error:
        raise MediaBroken("its media are a data URL that can't be read") from error


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
