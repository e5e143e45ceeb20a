"""Every error of a node and of the libraries towards it has a meaning, and secrets are in none."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from web3 import exceptions as web3_errors

from simulator import ChainNode, Fault
from spillway.adapters.json_rpc import LOGS, Node, translated
from spillway.errors import ChainError, ChainTooMuch, ChainUnavailable, ChainWrong
from support.front_door import free_port
from support.library_errors import errors_of, instance

KEY: Any = SimpleNamespace(host="h", port=1, ssl=True, is_ssl=True)
INFO: Any = SimpleNamespace(real_url="http://h/s3cret", method="POST", url="http://h/s3cret", headers={})
ARGUMENTS: Any = (("x",), (KEY, OSError(1, "x")), (INFO, ()), ("x", "x", 1), (0, "a", "b"))
ALL = sorted(
    {
        *errors_of(aiohttp, aiohttp.ClientError),
        *errors_of(web3_errors, web3_errors.Web3Exception),
        json.JSONDecodeError,
        UnicodeDecodeError,
        OSError,
        TimeoutError,
    },
    key=lambda error: f"{error.__module__}.{error.__name__}",
)


@pytest.mark.parametrize("error", ALL, ids=lambda error: f"{error.__module__}.{error.__name__}")
def test_every_error_of_the_libraries_is_translated(error: type[BaseException]) -> None:
    with pytest.raises(ChainError) as caught, translated("node", logs=True):
        raise instance(error, *ARGUMENTS)
    assert "s3cret" not in str(caught.value)


REFUSALS = [
    (-32005, "query returned more than 10000 results", ChainTooMuch),
    (-32600, "eth_getLogs is limited to a 10,000 range", ChainTooMuch),
    (-32602, "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range", ChainTooMuch),
    (-32000, "block range is too wide", ChainTooMuch),
    (-32614, "exceed maximum block range: 5000", ChainTooMuch),
    (-32000, "query timeout exceeded", ChainTooMuch),
    (-32005, "Too Many Requests", ChainUnavailable),
    (-32603, "words that nobody has heard yet", ChainTooMuch),
    (-32005, "daily request count exceeded, request rate limited", ChainUnavailable),
    (429, "Your app has exceeded its compute units per second capacity", ChainUnavailable),
    (-32029, "Too Many Requests", ChainUnavailable),
    (-32000, "project ID request limit reached", ChainUnavailable),
]


@pytest.mark.parametrize(("code", "message", "meaning"), REFUSALS, ids=lambda value: str(value)[:40])
def test_refusal_means_what_its_words_say(code: int, message: str, meaning: type[ChainError]) -> None:
    node = Node("http://node/s3cret")
    error = node._refusal(LOGS, {"code": code, "message": message})
    assert type(error) is meaning
    assert type(node._refusal("eth_getBlockByNumber", {"code": code, "message": message})) is ChainUnavailable
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("error", [None, "no", 7, {}, {"code": None, "message": ["x"]}])
def test_refusal_without_words_is_one(error: Any) -> None:
    assert isinstance(Node("http://node")._refusal(LOGS, error), ChainTooMuch)


STATUSES: dict[int, type[ChainError]] = {
    **dict.fromkeys((400, 408, 413, 500, 504), ChainTooMuch),
    **dict.fromkeys((401, 403, 404, 429, 503), ChainUnavailable),
}


@pytest.mark.parametrize(("status", "meaning"), STATUSES.items())
async def test_status_of_a_question_for_logs_says_whether_less_may_be_had(
    status: int, meaning: type[ChainError]
) -> None:
    node = ChainNode("http://127.0.0.1:1", faults=[Fault("status", status=status, retry_after=7)])
    async with node.serve():
        client = Node(f"{node.url}/s3cret")
        with pytest.raises(meaning) as caught:
            await client.call(LOGS, {})
        with pytest.raises(ChainUnavailable) as other:
            await client.call("eth_blockNumber")
        await client.close()
    assert other.value.retry_after_s == 7
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["close", "reset", "cut", "hang"])
async def test_silence_is_no_answer(kind: Any) -> None:
    node = ChainNode("http://127.0.0.1:1", faults=[Fault(kind)])
    async with node.serve():
        client = Node(node.url, try_s=0.5)
        with pytest.raises(ChainUnavailable):
            await client.call("eth_blockNumber")
        await client.close()


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", "null", '{"jsonrpc":"2.0","id":1}', '"x"'])
async def test_what_is_no_json_rpc_is_wrong(body: str) -> None:
    node = ChainNode("http://127.0.0.1:1", faults=[Fault("status", status=200, body=body)])
    async with node.serve():
        client = Node(node.url)
        with pytest.raises(ChainWrong):
            await client.call("eth_blockNumber")
        await client.close()


async def test_nobody_there_is_no_answer() -> None:
    client = Node(f"http://127.0.0.1:{free_port()}/s3cret")
    with pytest.raises(ChainUnavailable) as caught:
        await client.call("eth_blockNumber")
    await client.close()
    assert "s3cret" not in str(caught.value)


async def test_client_that_was_closed_connects_again() -> None:
    node = ChainNode("http://127.0.0.1:1", faults=[Fault("status", status=200, body='{"result":"0x7"}')])
    async with node.serve():
        client = Node(node.url)
        for _ in range(2):
            assert await client.call("eth_blockNumber") == "0x7"
            await client.close()


async def test_calls_that_are_given_up_hold_up_no_others() -> None:
    node = ChainNode("http://127.0.0.1:1", faults=[Fault("status", status=200, body='{"result":"0x7"}')])
    async with node.serve():
        client = Node(node.url)
        for turns in range(20):
            calls = [asyncio.ensure_future(client.call("eth_blockNumber")) for _ in range(8)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        async with asyncio.timeout(20):
            assert await client.call("eth_blockNumber") == "0x7"
        await client.close()
