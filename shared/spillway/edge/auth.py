"""Who the caller is: decided here alone, before a request's body is read."""

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.types import Scope

from spillway.domain.callers import Caller, anonymous

_PLACE = "spillway.caller"


class Entrance(Protocol):
    """Lets requests in."""

    async def admit(self, scope: Scope) -> Caller:
        """Who asks. Raises CallerError, and Overloaded where that can't be known just now."""
        ...


class OpenEntrance:
    """Asks for no key: callers are told apart by the addresses that they come from.

    `proxied` where every request comes through Google's front end, which adds the true address at the end.
    """

    def __init__(self, *, proxied: bool = False):
        self._proxied = proxied

    async def admit(self, scope: Scope) -> Caller:
        """Everybody."""
        return anonymous(_address(scope, proxied=self._proxied))


def _address(scope: Scope, *, proxied: bool) -> str:
    if proxied:
        given = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if given:
            return str(given[-1].decode("latin-1").rpartition(",")[2].strip())
    client = scope.get("client")
    return str(client[0]) if client else ""


def welcome(scope: Scope, caller: Caller) -> None:
    """Note in a request who asks."""
    scope[_PLACE] = caller


def caller_of(scope: Mapping[str, Any]) -> Caller:
    """Who asks; every request has come through the front door, which has noted it."""
    caller: Caller = scope[_PLACE]
    return caller
