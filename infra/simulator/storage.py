"""Cloud Storage's JSON API as Google's client uses it: uploads at once and in pieces, reads of ranges, conditions."""

import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, ClassVar

from aiohttp import web

from simulator.buckets import BadObjectError, Bucket, ConditionError, MissingError
from simulator.faults import BODY, TRANSPORT, Fault, Kind
from simulator.record import Recorded
from simulator.reply import send
from simulator.server import Endpoint, Simulator, fault_of

STATUSES = {MissingError: 404, ConditionError: 412, BadObjectError: 400}
PAGE = 3
OCTETS = "application/octet-stream"
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(slots=True)
class Session:
    """An upload in pieces that is under way."""

    properties: dict[str, Any]
    conditions: dict[str, str]
    data: bytearray = field(default_factory=bytearray)


class StorageApi(Simulator):
    """`StorageApi("bucket")`; `bucket` holds the objects. With `spoils` what is read is not what was written.

    Faults: `error` (500, but done), and those of the wire. A write whose reply is cut or lost was made.
    """

    name: ClassVar[str] = "storage"

    def __init__(
        self, bucket: str = "bucket", *, time_scale: float = 1.0, seed: int = 0, faults: Iterable[Fault] = ()
    ) -> None:
        """Nothing listens yet; the bucket is empty."""
        super().__init__(time_scale=time_scale, seed=seed, faults=faults)
        self.bucket = Bucket(bucket)
        self.spoils = False
        self._sessions: dict[str, Session] = {}

    def routes(self) -> Iterable[web.RouteDef]:
        """Objects, their contents, uploads."""
        objects = f"/storage/v1/b/{self.bucket.name}/o"
        calls: list[tuple[str, str, Endpoint]] = [
            ("GET", objects, self._list),
            ("GET", objects + "/{name}", self._describe),
            ("PATCH", objects + "/{name}", self._patch),
            ("DELETE", objects + "/{name}", self._delete),
            ("GET", f"/download{objects}" + "/{name}", self._read),
            ("POST", f"/upload{objects}", self._upload),
            ("PUT", f"/upload{objects}", self._resume),
        ]
        return [web.route(method, path, self._answering(endpoint)) for method, path, endpoint in calls]

    def subject(self, request: web.Request, entry: Recorded) -> str | None:
        """The call, for the counts."""
        return f"{request.method} {request.path.split('/')[1]}"

    def kinds(self, request: web.Request) -> frozenset[Kind]:
        """All may be lost on the way back."""
        return TRANSPORT | BODY | {"error"}

    def problem(self, status: int, message: str | None = None, **extra: Any) -> Any:
        """An error as Google's APIs write it."""
        said = message or web.Response(status=status).reason
        return {"error": {"code": status, "message": said, "errors": [{"message": said, "domain": "global"}]}}

    def _answering(self, endpoint: Endpoint) -> Endpoint:
        async def answering(request: web.Request) -> web.StreamResponse:
            try:
                answer = await endpoint(request)
            except (MissingError, ConditionError, BadObjectError) as error:
                return await self.fail(request, STATUSES[type(error)], str(error))
            if getattr(fault_of(request), "kind", None) == "error":
                return await self.fail(request, 500)
            return answer

        return answering

    async def _list(self, request: web.Request) -> web.StreamResponse:
        prefix, after = request.query.get("prefix", ""), request.query.get("pageToken", "")
        names = sorted(name for name in self.bucket.objects if name.startswith(prefix) and name > after)
        page: dict[str, Any] = {"kind": "storage#objects"}
        if shown := [self.bucket.resource(self.bucket.find(name)) for name in names[:PAGE]]:
            page["items"] = shown
        if len(names) > PAGE:
            page["nextPageToken"] = names[PAGE - 1]
        return await send(request, page, fault_of(request))

    async def _describe(self, request: web.Request) -> web.StreamResponse:
        return await self._shown(request, self.bucket.find(request.match_info["name"]))

    async def _patch(self, request: web.Request) -> web.StreamResponse:
        changes = await request.json()
        return await self._shown(request, self.bucket.patch(request.match_info["name"], changes, request.query))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        self.bucket.delete(request.match_info["name"], request.query)
        return await send(request, b"", fault_of(request), status=204)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        stored = self.bucket.find(request.match_info["name"])
        self.bucket.check(stored.name, request.query)
        place = request.http_range
        data = stored.data[place]
        data = bytes(len(data)) if self.spoils else data
        headers = {
            "X-Goog-Hash": f"crc32c={stored.crc32c},md5={stored.md5}",
            "X-Goog-Generation": str(stored.generation),
            "X-Goog-Stored-Content-Length": str(len(stored.data)),
        }
        status = 200
        if place != slice(None, None, 1):
            if not data:
                return await self.fail(request, 416, "The requested range cannot be satisfied.")
            start = place.indices(len(stored.data))[0]
            headers["Content-Range"] = f"bytes {start}-{start + len(data) - 1}/{len(stored.data)}"
            status = 206
        return await send(request, data, fault_of(request), status=status, content_type=OCTETS, headers=headers)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        if request.query["uploadType"] == "multipart":
            properties, data = _related(await request.read(), request.headers["Content-Type"])
            return await self._shown(request, self.bucket.put(properties, data, request.query))
        properties = json.loads(await request.read())
        self.bucket.check(properties["name"], request.query)
        number = uuid.uuid4().hex
        properties.setdefault("contentType", request.headers.get("X-Upload-Content-Type"))
        self._sessions[number] = Session(properties, dict(request.query))
        place = f"{self.url}{request.path}?uploadType=resumable&upload_id={number}"
        return await send(request, b"", fault_of(request), headers={"Location": place})

    async def _resume(self, request: web.Request) -> web.StreamResponse:
        session = self._sessions.get(request.query["upload_id"])
        told = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
        if session is None or told is None:
            raise MissingError("No such upload session.")
        if told[1] is not None and int(told[1]) == len(session.data):
            session.data += await request.read()
        if told[3] == "*" or len(session.data) < int(told[3]):
            range_ = {"Range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
            return web.Response(status=308, headers=range_)
        stored = self.bucket.put(session.properties, bytes(session.data), session.conditions)
        return await self._shown(request, stored)

    async def _shown(self, request: web.Request, stored: Any) -> web.StreamResponse:
        return await send(request, self.bucket.resource(stored), fault_of(request))


def _related(body: bytes, content_type: str) -> tuple[dict[str, Any], bytes]:
    """The description and the content of a multipart/related body."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = f"--{header.get_boundary()}".encode()
    try:
        _, first, rest = body.split(boundary, 2)
        content, _, _ = rest.rpartition(b"\r\n" + boundary + b"--")
        described = first.partition(b"\r\n\r\n")[2]
        head, _, data = content.partition(b"\r\n\r\n")
        properties = json.loads(described)
    except ValueError as error:
        raise BadObjectError("Malformed multipart body.") from error
    given = Message()
    given["Content-Type"] = head.decode().strip().partition(":")[2].strip()
    properties.setdefault("contentType", given.get_content_type())
    return properties, data
