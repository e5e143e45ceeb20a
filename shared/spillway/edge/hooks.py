"""POST /hooks/replicate: what Replicate reports on jobs' predictions, signed after Standard Webhooks."""

from collections.abc import Mapping
from contextlib import closing
from json import JSONDecodeError
from typing import Any
from urllib.parse import parse_qs

from pydantic_core import from_json
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from spillway.edge.bodies import CallerGone, Room
from spillway.edge.replies import Family, new_request_id, send_bytes, send_fault
from spillway.errors import BadRequest, Conflict, SpillwayError, StoreUnavailable
from spillway.services.hooks import Hooks

LARGEST = 4 * 1024 * 1024
UNDER_WAY = ("starting", "processing")


class ReplicateHook:
    """An ASGI application. `secret` is Replicate's signing secret (`whsec_...`); it checks the message's age too."""

    def __init__(self, hooks: Hooks, room: Room, secret: str):
        self._hooks, self._room = hooks, room
        self._signature = Webhook(secret)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one report: 204 where nobody has to send it again."""
        try:
            with closing(await self._room.read(scope, receive)) as body:
                await self._take(Headers(scope=scope), scope["query_string"].decode("latin-1"), body.all())
        except CallerGone:
            return
        except (StoreUnavailable, Conflict) as error:
            again = BadRequest(f"send it again: {error}", status=503, code="try_again")
            await send_fault(send, again, Family.PROBLEM, new_request_id())
        except SpillwayError as error:
            await send_fault(send, error, Family.PROBLEM, new_request_id())
        else:
            await send_bytes(send, 204, b"", b"text/plain", [])

    async def _take(self, headers: Headers, query: str, body: bytes) -> None:
        self._check(headers, body)
        given = parse_qs(query)
        prediction, run = _prediction(body), given.get("run", [""])[0]
        job_id, part = given.get("job", [""])[0], given.get("part", ["0"])[0]
        if not (job_id and _number(run) and _number(part)):
            raise BadRequest("the address names no job and run", code="malformed_hook")
        await self._hooks.told(
            headers["webhook-id"],
            job_id,
            int(run[:12]),
            prediction["id"],
            part=int(part[:12]),
            over=prediction.get("status") not in UNDER_WAY,
        )

    def _check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Before anything else is made of it."""
        try:
            self._signature.verify(body, dict(headers))
        except JSONDecodeError as error:
            raise BadRequest("the body is not JSON", code="malformed_hook") from error
        # The library stumbles over signatures and bodies that no sender of its own would make.
        except (WebhookVerificationError, ValueError) as error:
            raise BadRequest(f"the signature does not hold: {error}", status=401, code="bad_signature") from error


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _prediction(body: bytes) -> dict[str, Any]:
    try:
        told = from_json(body)
    except ValueError as error:
        raise BadRequest("the body is not JSON", code="malformed_hook") from error
    if not isinstance(told, dict) or not isinstance(told.get("id"), str) or not told["id"]:
        raise BadRequest("the body is no prediction", code="malformed_hook")
    return told
