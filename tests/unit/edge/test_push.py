"""Pub/Sub's pushes and the scheduler's calls, as replies."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from spillway.edge.push import Door, Message, read_message
from spillway.errors import BadRequest, SpillwayError, StoreUnavailable, TooSlow

EMULATORS = {
    "subscription": "projects/p/subscriptions/s",
    "message": {
        "data": base64.b64encode(b'{"a":1}').decode(),
        "attributes": {"kind": "job"},
        "messageId": "7",
        "message_id": "7",
        "publishTime": "2026-11-26T22:00:00Z",
    },
}


class Tokens:
    """Takes one token."""

    async def check(self, token: str) -> None:
        if token == "slow":
            raise TooSlow("Google's certificates were silent for too long")
        if token != "true":
            raise BadRequest("the token is not a true one", status=401, code="bad_token")


class Handler:
    """Answers 204, or raises what it is told to."""

    def __init__(self, error: Exception | None = None):
        self.error = error
        self.got: list[Message] = []

    async def __call__(self, message: Message) -> Response:
        self.got.append(message)
        if self.error:
            raise self.error
        return Response(status_code=204)


def client(door: Door, handler: Handler) -> TestClient:
    async def page(request: Request) -> Response:
        return await door.pushed(request, handler)

    return TestClient(Starlette(routes=[Route("/", page, methods=["POST"])]))


def test_a_push_is_read_as_the_emulator_sends_it() -> None:
    handler = Handler()
    assert client(Door(None), handler).post("/", json=EMULATORS).status_code == 204
    assert handler.got == [Message("7", b'{"a":1}', {"kind": "job"}, "projects/p/subscriptions/s")]


def test_a_message_may_be_empty() -> None:
    assert read_message(b'{"message":{"messageId":"8"}}') == Message("8")


@pytest.mark.parametrize(("header", "status"), [(None, 401), ("Basic x", 401), ("Bearer ", 401), ("Bearer false", 401),
                                                ("Bearer slow", 503), ("bearer true", 204)])  # fmt: skip
def test_only_true_tokens_come_in(header: str | None, status: int) -> None:
    handler = Handler()
    headers = {} if header is None else {"authorization": header}
    answer = client(Door(Tokens()), handler).post("/", json=EMULATORS, headers=headers)
    assert (answer.status_code, len(handler.got)) == (status, int(status == 204))
    if status != 204:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("error", "status"), [(BadRequest("no such job", status=404), 404), (StoreUnavailable("locked"), 503)]
)
def test_an_error_is_a_reply_that_brings_the_message_again(error: SpillwayError, status: int) -> None:
    answer = client(Door(None), Handler(error)).post("/", json=EMULATORS)
    assert (answer.status_code, answer.json()["detail"]) == (status, str(error))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"message":7}', b'{"message":{"data":"*"}}', b'{"message":{"attributes":[1]}}']
)
def test_what_is_no_push_is_refused(body: bytes) -> None:
    assert client(Door(None), Handler()).post("/", content=body).status_code == 400


@given(value=st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["message", "data", "attributes", "messageId", "subscription"]), inner)))  # fmt: skip
def test_any_json_is_a_message_or_refused(value: Any) -> None:
    try:
        read_message(json.dumps(value).encode())
    except BadRequest as error:
        assert error.status == 400
