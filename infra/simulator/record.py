"""What came in and how it ended: one record for each request, with every part of a multipart body."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, Literal

from aiohttp import web

Outcome = Literal["open", "served", "refused", "failed", "canceled"]

NOT_MULTIPART = "request Content-Type isn't multipart/form-data"


class BadFormError(ValueError):
    """A multipart body that Go's reader refuses; the message is Go's own."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body."""

    name: str
    filename: str | None
    content_type: str | None
    data: bytes = field(repr=False)
    sha256: str = ""

    @property
    def size(self) -> int:
        """Its length in bytes, also after the data is let go."""
        return len(self.data)

    @property
    def text(self) -> str:
        """The value of a plain field."""
        return self.data.decode(errors="replace")

    def summary(self) -> dict[str, Any]:
        """The part as JSON, without its bytes."""
        return {"name": self.name, "filename": self.filename, "content_type": self.content_type,
                "sha256": self.sha256, "size": self.size}  # fmt: skip


@dataclass(slots=True)
class Recorded:
    """One request. `json`, `fields` and `parts` hold its body, `outcome` is filled in when it is over."""

    method: str
    path: str
    at_s: float
    headers: Mapping[str, str]
    query: Mapping[str, str]
    json: Any = None
    fields: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    bad_form: str | None = None
    fault: str | None = None
    outcome: Outcome = "open"
    status: int | None = None
    took_s: float | None = None

    def file(self, name: str) -> Part | None:
        """The uploaded file of this name."""
        return next((part for part in self.parts if part.name == name and part.filename is not None), None)

    def summary(self) -> dict[str, Any]:
        """The request as JSON, without the bytes of its files."""
        return {
            "method": self.method,
            "path": self.path,
            "at_s": round(self.at_s, 3),
            "json": self.json,
            "parts": [part.summary() for part in self.parts],
            "fault": self.fault,
            "outcome": self.outcome,
            "status": self.status,
            "took_s": self.took_s,
        }


async def record(request: web.Request, at_s: float) -> Recorded:
    """Read the whole request, as far as it can be read."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    entry = Recorded(request.method, request.path, at_s, headers, request.query)
    if not request.body_exists:
        return entry
    body = await request.read()
    content_type = request.headers.get("Content-Type", "")
    if content_type.startswith("multipart/"):
        _read_form(entry, body, content_type)
    else:
        entry.json = _json(body)
    return entry


def parts_of(body: bytes, content_type: str) -> Iterator[Part]:
    """The parts of a multipart/form-data body, hashed."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data":
        raise BadFormError(NOT_MULTIPART)
    if not boundary:
        raise BadFormError("no multipart boundary param in Content-Type")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise BadFormError("multipart: NextPart: EOF")
    for piece in pieces[1:-1]:
        yield _part(piece)


def _part(piece: bytes) -> Part:
    head, gap, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not gap:
        raise BadFormError("multipart: NextPart: EOF")
    headers = Message()
    for line in head.decode(errors="replace").split("\r\n"):
        title, _, value = line.partition(":")
        headers[title.strip()] = value.strip()
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise BadFormError("multipart: a part without a name")
    content_type = headers.get("Content-Type")
    return Part(name, headers.get_filename(), content_type, data, hashlib.sha256(data).hexdigest())


def _read_form(entry: Recorded, body: bytes, content_type: str) -> None:
    try:
        entry.parts = list(parts_of(body, content_type))
    except BadFormError as error:
        entry.bad_form = str(error)
    entry.fields = {part.name: part.text for part in entry.parts if part.filename is None}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
