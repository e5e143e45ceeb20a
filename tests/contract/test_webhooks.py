"""Posts to addresses that callers gave: signed, never followed elsewhere, never turned inwards."""

import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from spillway.adapters.http import HttpPool
from spillway.adapters.public_net import is_public
from spillway.adapters.webhook_http import HttpWebhooks
from spillway.errors import BadRequest, BrokenAnswer, Unreachable
from spillway.ports.webhooks import Message
from support.receiver import SECRET, receiving, serving

INSIDE = [
    "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/",
    "https://0/", "https://0.0.0.0/", "https://10.0.0.8/", "https://172.16.0.1/", "https://192.168.1.1:8443/",
    "https://169.254.169.254/computeMetadata/v1/", "https://100.64.0.1/", "https://224.0.0.1/", "https://[::1]/",
    "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:a9fe:a9fe]/", "https://[::127.0.0.1]/",
    "https://[fe80::1]/", "https://[fd00:ec2::254]/", "https://[64:ff9b::169.254.169.254]/",
    "https://[2002:7f00:1::]/", "https://localhost/", "https://LOCALHOST./", "https://any.localhost/",
    "https://metadata.google.internal/", "https://[fec0::1]/", "https://[64:ff9b:1::7f00:1]/",
    "https://[::ffff:0:7f00:1]/", "https://[5f00::1]/", "https://192.0.0.8/", "https://168.63.129.16/",
    "https://metadata/", "https://kubernetes.default.svc/", "https://printer.local/", "https://router.home.arpa/",
]  # fmt: skip
NOT_URLS = [
    "", "nothing", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "https://",
    "https://:443/", "https://example.com:99999/", "https://example.com:0/", "https://exa mple.com/",
    "https://user:secret@example.com/", "https://token@example.com/", "https://example.com/\u00fc", "https://[::1/",
    "https://[fe80::1%25eth0]/", "https://%31%32%37.0.0.1/", "https://127.0.0.1%2eexample.com/",
    "https://example.com\\@127.0.0.1/", "http://example.com/", "https://example.com/" + "x" * 2048,
]  # fmt: skip


@pytest.fixture
async def outside() -> AsyncIterator[HttpWebhooks]:
    """As in production."""
    pool = HttpPool(public_only=True)
    yield HttpWebhooks(pool, allow_private=False)
    await pool.aclose()


@pytest.fixture
async def anywhere() -> AsyncIterator[HttpWebhooks]:
    """As with SPILLWAY_ALLOW_PRIVATE_URLS."""
    pool = HttpPool()
    yield HttpWebhooks(pool, allow_private=True)
    await pool.aclose()


def message(body: bytes = b'{"id":"1"}') -> Message:
    return Message("job_1", time.time(), body)


@pytest.mark.parametrize("url", INSIDE)
async def test_address_on_the_inside_is_refused_when_it_is_given(outside: HttpWebhooks, url: str) -> None:
    with pytest.raises(BadRequest) as refused:
        await outside.check(url)
    assert (refused.value.status, refused.value.code) == (400, "webhook_refused")


@pytest.mark.parametrize("url", NOT_URLS)
async def test_what_can_not_be_posted_to_is_refused(outside: HttpWebhooks, url: str) -> None:
    with pytest.raises(BadRequest):
        await outside.check(url)


@pytest.mark.parametrize("url", ["https://1.1.1.1/hook?a=1&b=2", "https://[2606:4700:4700::1111]:8443/hook"])
async def test_public_address_is_taken(outside: HttpWebhooks, url: str) -> None:
    await outside.check(url)


async def test_name_that_is_not_known_now_may_be_later(outside: HttpWebhooks) -> None:
    await outside.check("https://hooks.example.invalid/job")


async def test_private_addresses_and_http_are_allowed_where_the_setting_says_so(anywhere: HttpWebhooks) -> None:
    await anywhere.check("http://127.0.0.1:8000/hook")
    with pytest.raises(BadRequest):
        await anywhere.check("ftp://127.0.0.1/hook")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "[::1]"])
async def test_connection_to_the_inside_is_refused_whatever_the_name(outside: HttpWebhooks, host: str) -> None:
    async with receiving() as receiver:
        port = receiver.url.split(":")[2]
        with pytest.raises(Unreachable):
            await outside.post(f"http://{host}:{port}", message(), SECRET)
        assert receiver.received == []


async def test_post_is_signed_as_the_standard_says(anywhere: HttpWebhooks) -> None:
    async with receiving() as receiver:
        assert await anywhere.post(receiver.url, message('{"words":"größer 🎈"}'.encode()), SECRET) == 200
        [came] = receiver.received
    assert came.verified() == {"words": "größer 🎈"}
    assert came.headers["webhook-id"] == "job_1"
    assert abs(time.time() - int(came.headers["webhook-timestamp"])) < 5
    assert came.headers["content-type"] == "application/json"


async def test_post_without_a_secret_has_no_signature(anywhere: HttpWebhooks) -> None:
    async with receiving() as receiver:
        await anywhere.post(receiver.url, message(), None)
        [came] = receiver.received
    assert "webhook-signature" not in came.headers


async def test_redirect_is_an_answer_and_not_a_way(anywhere: HttpWebhooks) -> None:
    async with receiving() as inner, receiving([307]) as receiver:
        receiver.location = inner.url
        assert await anywhere.post(receiver.url, message(), SECRET) == 307
        assert inner.received == []


async def test_receiver_that_closes_the_connection_has_not_answered(anywhere: HttpWebhooks) -> None:
    async def close(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with serving(close) as url:
        with pytest.raises((Unreachable, BrokenAnswer)):
            await anywhere.post(url, message(), SECRET)


@pytest.mark.parametrize(
    ("address", "public"),
    [("8.8.8.8", True), ("::ffff:8.8.8.8", True), ("64:ff9b::808:808", True), ("2002:808:808::", True),
     ("::ffff:10.0.0.1", False), ("64:ff9b::a00:1", False), ("2002:a00:1::", False), ("::1", False),
     ("ff02::1", False), ("255.255.255.255", False)],
)  # fmt: skip
def test_what_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public
