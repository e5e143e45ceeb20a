"""Adapter of ports.webhooks.Webhooks: signed posts, as Standard Webhooks has them, that can't be turned inwards."""

import asyncio
import ipaddress
import re
import socket
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

from standardwebhooks import Webhook

from spillway.adapters.http import HttpPool, headers, translated
from spillway.adapters.public_net import is_public
from spillway.errors import BadRequest, TooSlow
from spillway.ports.webhooks import Message

TRY_S = 10.0
RESOLVE_S = 2.0
LONGEST_URL = 2048
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
"""A name or an address as it stands: nothing that one library decodes and another doesn't."""
_INSIDE = (".internal", ".svc", ".local", ".localhost", ".localdomain", ".home.arpa", ".lan", ".intranet", ".corp")
"""Names that mean something on the inside only, whether or not they resolve from here."""


class HttpWebhooks:
    """`pool` is of public addresses only, unless `allow_private`, which is for tests and a network of one's own."""

    def __init__(self, pool: HttpPool, *, allow_private: bool):
        self._pool = pool
        self._allow_private = allow_private

    async def check(self, url: str) -> None:
        """Raises BadRequest."""
        parts = _parsed(url)
        if self._allow_private:
            return
        if parts.scheme != "https":
            raise _refused("it must be an https:// URL")
        host = str(parts.hostname).rstrip(".")
        if "." not in host and ":" not in host and not _address(host):
            raise _refused(f"{host} is no name that everybody knows")
        if host.endswith(_INSIDE) or not await _leads_outside(host):
            raise _refused(f"{host} leads to a private address")

    async def post(self, url: str, message: Message, secret: str | None) -> int:
        """The status that came back; a redirect is one like any other."""
        sent = headers(content_type="application/json", webhook_id=message.id, webhook_timestamp=f"{message.at:.0f}")
        if secret is not None:
            sent["webhook-signature"] = _signature(secret, message)
        try:
            async with asyncio.timeout(TRY_S):
                with translated("the webhook's receiver"):
                    response = await self._pool.send("POST", url, headers=sent, content=message.body)
        except TimeoutError as error:
            raise TooSlow(f"the webhook's receiver did not answer in {TRY_S:g} s") from error
        await response.aclose()
        return response.status_code


def _signature(secret: str, message: Message) -> str:
    # The library reads the time as UTC whatever it says, so it must say UTC.
    at = datetime.fromtimestamp(int(f"{message.at:.0f}"), UTC)
    return Webhook(secret).sign(message.id, at, message.body.decode())


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("it is no URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _refused("it must be an https:// URL")
    if len(url) > LONGEST_URL or not (url.isascii() and url.isprintable() and " " not in url):
        raise _refused(f"it must be at most {LONGEST_URL} characters of ASCII without spaces")
    if parts.username is not None or parts.password is not None:
        raise _refused("it must hold no user and password: put a token into its path or query")
    if not _HOST.fullmatch(parts.hostname):
        raise _refused("its host must be a name or an address, plainly written")
    return parts


def _address(host: str) -> bool:
    """Whether it is an address in any way of writing that the system's own resolver takes for one."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            socket.inet_aton(host)
        except (OSError, UnicodeError):
            return False
    return True


async def _leads_outside(host: str) -> bool:
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return True
    return all(is_public(str(place[4][0])) for place in found)


def _refused(why: str) -> BadRequest:
    return BadRequest(f"Webhook-Url can't be posted to: {why}", code="webhook_refused", param="Webhook-Url")
