"""OIDC tokens as Google signs them for Pub/Sub and Cloud Scheduler, checked against Google's public certificates."""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any

from google.auth import jwt
from google.auth.exceptions import GoogleAuthError

from spillway.adapters.http import HttpPool
from spillway.adapters.json_api import JsonApi
from spillway.errors import BadRequest, BrokenAnswer, Overflow
from spillway.ports import Clock

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
SKEW_S = 10
CALL_S = 6.0
FRESH_S = 3600.0
# Whoever sends tokens with invented key ids must not make us ask for the certificates each time.
LEAST_S = 60.0


class GoogleTokens:
    """Adapter of ports.push.Tokens. Any Google account can have a token made for any audience: `account` says whose
    is taken, by its email address; None leaves that to whoever lets calls in (Cloud Run's invoker role).
    """

    def __init__(
        self,
        pool: HttpPool,
        *,
        audience: str,
        certs_url: str,
        account: str | None = None,
        clock: Clock = time.monotonic,
        call_s: float = CALL_S,
    ):
        self._api = JsonApi("Google's certificates", pool, certs_url, try_s=call_s / 2, call_s=call_s)
        self._audience, self._account, self._clock = audience, account, clock
        self._certs: Mapping[str, str] = {}
        self._asked_at = -math.inf
        self._asking = asyncio.Lock()

    async def check(self, token: str) -> None:
        """Signature, times, audience, issuer, and the account where one is set."""
        claims = self._claims(token, await self._certs_for(_key_id(token)))
        if claims.get("iss") not in ISSUERS:
            raise _refused("the token is not Google's")
        if self._account and (claims.get("email") != self._account or claims.get("email_verified") is not True):
            raise BadRequest("the token is of another account", status=403, code="wrong_account")

    def _claims(self, token: str, certs: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            claims = jwt.decode(  # type: ignore[no-untyped-call]
                token, certs=certs, audience=self._audience, clock_skew_in_seconds=SKEW_S
            )
        except (GoogleAuthError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _refused("the token is not a true one for this audience") from error
        return dict(claims)

    async def _certs_for(self, key_id: str) -> Mapping[str, str]:
        """The certificates, asked for anew when they are old or don't know the key. Raises Overflow."""
        async with self._asking:
            age_s = self._clock() - self._asked_at
            if age_s > FRESH_S or (key_id not in self._certs and age_s > LEAST_S):
                await self._ask()
        return self._certs

    async def _ask(self) -> None:
        try:
            answer = await self._api.get("")
            if not isinstance(answer, dict) or not all(isinstance(cert, str) for cert in answer.values()):
                raise BrokenAnswer("Google's certificates are no table of texts")
        except Overflow:
            # Old certificates are still true ones; a token of a new key waits until they can be had.
            if not self._certs:
                raise
        else:
            self._certs, self._asked_at = answer, self._clock()


def _key_id(token: str) -> str:
    try:
        header = jwt.decode_header(token)  # type: ignore[no-untyped-call]
    except (GoogleAuthError, ValueError, TypeError) as error:
        raise _refused("the token is no JWT") from error
    return str(header.get("kid", "")) if isinstance(header, dict) else ""


def _refused(message: str) -> BadRequest:
    return BadRequest(message, status=401, code="bad_token")
