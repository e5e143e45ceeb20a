"""Who the caller is: decided here alone, before a request's body is read."""

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from starlette.types import Scope

from spillway.domain.callers import Caller, anonymous, stranger
from spillway.edge.access import need_of
from spillway.errors import CallerError, KeyRefused, NotAllowed, Overloaded
from spillway.services.keyring import Keyring
from spillway.services.rates import Rates

_PLACE = "spillway.caller"
_WANTED = (b"authorization", b"origin", b"host", b"prefer")


class Entrance(Protocol):
    """Lets requests in."""

    keyed: bool
    """Whether it asks for keys."""

    async def admit(self, scope: Scope) -> Caller:
        """Who asks. Raises CallerError, and Overloaded where that can't be known just now."""
        ...

    async def origins(self) -> frozenset[str]:
        """The origins of web pages that may use this service from a browser."""
        ...


class OpenEntrance:
    """Asks for no key: callers are told apart by the addresses that they come from.

    `proxied` where every request comes through Google's front end, which adds the true address at the end.
    """

    keyed = False

    def __init__(self, *, proxied: bool = False):
        self._proxied = proxied

    async def admit(self, scope: Scope) -> Caller:
        """Everybody."""
        return anonymous(_address(scope, proxied=self._proxied))

    async def origins(self) -> frozenset[str]:
        """None: any page in a browser on this machine could use it."""
        return frozenset()


class KeyedEntrance:
    """Asks for a key wherever edge.access says so; `turned_away` is told the reason when somebody is not let in."""

    keyed = True

    def __init__(self, keyring: Keyring, rates: Rates, *, turned_away: Callable[[str], None], proxied: bool = False):
        self._keyring, self._rates, self._proxied = keyring, rates, proxied
        self._turned_away = turned_away

    async def admit(self, scope: Scope) -> Caller:
        """The key's holder. Raises KeyRefused (401), NotAllowed (403), RateLimited (429) and Overloaded (503)."""
        try:
            return await self._admitted(scope)
        except CallerError as error:
            self._turned_away(error.code)
            raise
        except Overloaded:
            self._turned_away("keys_unavailable")
            raise

    async def _admitted(self, scope: Scope) -> Caller:
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        need = need_of(scope["method"], path)
        if need is None:
            return stranger(_address(scope, proxied=self._proxied))
        said = _said(scope)
        try:
            caller = await self._keyring.admit(_token(said, scope["method"]))
        except KeyRefused as error:
            error.headers = {"www-authenticate": _challenge(scope["method"], path, given="authorization" in said)}
            raise
        _check_scopes(caller, need, said)
        _check_origin(caller, said)
        if scope["method"] == "POST":
            await self._rates.admit(caller)
        return caller

    async def origins(self) -> frozenset[str]:
        """Those of any key."""
        return await self._keyring.origins()


def _said(scope: Scope) -> dict[str, str]:
    """The headers that matter here; of one that came twice, both: neither may hide the other."""
    said: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name in _WANTED:
            header, text = name.decode(), value.decode("latin-1")
            said[header] = f"{said[header]}, {text}" if header in said else text
    return said


def _token(said: Mapping[str, str], method: str) -> str:
    """The key that was given: as a bearer's token; where nothing is done but read, as a browser's password too."""
    scheme, _, given = said.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic" and method in ("GET", "HEAD"):
        return _password(given)
    if scheme:
        raise KeyRefused("send your key as Authorization: Bearer sw_...")
    raise KeyRefused("no key was given: send Authorization: Bearer sw_...", code="missing_api_key")


def _password(given: str) -> str:
    try:
        return b64decode(given, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _challenge(method: str, path: str, *, given: bool) -> str:
    """What may be sent instead. Only the page asks a browser for a password: it is the key."""
    if method == "GET" and path == "/":
        return 'Basic realm="spillway: the password is a key with the scope read", charset="UTF-8"'
    return 'Bearer realm="spillway"' + (', error="invalid_token"' if given else "")


def _check_scopes(caller: Caller, need: frozenset[str], said: Mapping[str, str]) -> None:
    if need and need.isdisjoint(caller.scopes):
        raise NotAllowed(f"this key may not do that: it needs the scope {' or '.join(sorted(need))}", code="scope")
    if "respond-async" in said.get("prefer", "").lower() and caller.scopes.isdisjoint(("jobs", "admin")):
        raise NotAllowed("this key may not start jobs: it needs the scope jobs", code="scope")


def _check_origin(caller: Caller, said: Mapping[str, str]) -> None:
    """A key that is for certain web pages does not work from another one; outside of browsers anything can be said."""
    origin = said.get("origin")
    if origin and caller.origins and origin not in caller.origins and origin.partition("://")[2] != said.get("host"):
        raise NotAllowed(f"this key may not be used from the page {origin[:200]}", code="origin")


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


def known_caller(scope: Mapping[str, Any]) -> Caller | None:
    """Who asks, where that has been found out."""
    return scope.get(_PLACE)
