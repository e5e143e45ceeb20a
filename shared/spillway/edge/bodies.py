"""Request bodies: each kept once (in memory up to 1 MiB, on disk beyond), bounded alone and all together.

A multipart body is kept as it came; its parts are found by their place in it, so they go on unchanged and an upload is
never held twice. It is read whole before the first try: the field that names the model may be its last, and a paid try
must not be spent on an upload that breaks off.
"""

import io
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.types import Receive, Scope

from spillway.errors import BadRequest, Overloaded

IN_MEMORY = 1024 * 1024
PIECE = 64 * 1024
MOST_PARTS = 64
LARGEST_FIELD = 1024 * 1024


class CallerGone(Exception):
    """The caller closed the connection."""


class Body:
    """One request's bytes. Whoever opened it closes it."""

    def __init__(self, room: "Room"):
        self._room = room
        self._held = 0
        self._file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 (`close` closes it)
        self.size = 0

    def reserve(self, size: int) -> None:
        """Make room before bytes come. Raises BadRequest (413) or Overloaded."""
        if size > self._held:
            self._room.take(size, size - self._held)
            self._held = size

    def write(self, piece: bytes) -> None:
        """Add what has come."""
        self.reserve(self.size + len(piece))
        self._file.write(piece)
        self.size += len(piece)

    def slice(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`."""
        self._file.seek(start)
        return self._file.read(end - start)

    def all(self) -> bytes:
        """Every byte."""
        return self.slice(0, self.size)

    def open(self) -> BinaryIO:
        """A reader of all of it."""
        return _reader(self, 0, self.size)

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` up to `end`, 64 KiB at a time."""
        for at in range(start, end, PIECE):
            yield self.slice(at, min(at + PIECE, end))

    def close(self) -> None:
        """Give the room back."""
        self._file.close()
        self._room.give(self._held)
        self._held = 0


class Room:
    """How many bytes of bodies there may be: `largest` for one, `together` for all."""

    def __init__(self, largest: int, together: int):
        self._largest = largest
        self._together = together
        self.taken = 0

    def take(self, size: int, more: int) -> None:
        """Let a body grow to `size` by `more` bytes. Raises BadRequest (413) or Overloaded."""
        if size > self._largest:
            raise BadRequest(
                f"the body is larger than {self._largest} bytes: send less, or a smaller file",
                status=413,
                code="body_too_large",
            )
        if self.taken + more > self._together:
            raise Overloaded("too many uploads at once: try again shortly")
        self.taken += more

    def give(self, size: int) -> None:
        """A body of `size` bytes is gone."""
        self.taken -= size

    async def read(self, scope: Scope, receive: Receive) -> Body:
        """The whole body of a request. Raises BadRequest, Overloaded and CallerGone."""
        body = Body(self)
        try:
            body.reserve(_content_length(scope))
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise CallerGone
                piece = message.get("body", b"")
                if piece:
                    body.write(piece)
                if not message.get("more_body"):
                    return body
        except BaseException:
            body.close()
            raise


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


@dataclass(frozen=True, slots=True)
class WholePayload:
    """A payload that is in memory."""

    data: bytes
    content_type: str = "application/json"

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    def content(self) -> bytes:
        """All of it."""
        return self.data


@dataclass(frozen=True, slots=True)
class PlacedPayload:
    """A payload made of pieces of a body and of bytes put between them."""

    body: Body
    content_type: str
    places: Sequence[bytes | tuple[int, int]]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(place) if isinstance(place, bytes) else place[1] - place[0] for place in self.places)

    def content(self) -> bytes | AsyncIterator[bytes]:
        """At once where it is small, else in pieces read from the body as they are needed."""
        if self.size <= PIECE:
            return b"".join(self._pieces())
        return self._flow()

    def _pieces(self) -> Iterator[bytes]:
        for place in self.places:
            if isinstance(place, bytes):
                yield place
                continue
            yield from self.body.pieces(*place)

    async def _flow(self) -> AsyncGenerator[bytes, None]:
        for piece in self._pieces():
            yield piece


@dataclass(slots=True)
class Part:
    """One part of a multipart body: where it stands whole (`begin`), and where its content is."""

    begin: int
    start: int = 0
    end: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    name: str = ""
    filename: str | None = None


class PlacedUpload:
    """Adapter of requests.Upload over a part of a body."""

    def __init__(self, body: Body, part: Part):
        self._body = body
        self._part = part
        self.filename = part.filename or ""
        self.content_type = part.headers.get("content-type", "")
        self.size = part.end - part.start

    def open(self) -> BinaryIO:
        """A reader of its own, so that several may read at once."""
        return _reader(self._body, self._part.start, self.size)


def _reader(body: Body, start: int, size: int) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_Reader(body, start, size)))


class _Reader(io.RawIOBase):
    def __init__(self, body: Body, start: int, size: int):
        self._body, self._start, self._size, self._at = body, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        left = max(0, min(len(buffer), self._size - self._at))
        buffer[:left] = self._body.slice(self._start + self._at, self._start + self._at + left)
        self._at += left
        return left


class Multipart:
    """A multipart/form-data body, taken apart. Raises BadRequest where it is not whole."""

    def __init__(self, body: Body, content_type: str):
        self._body = body
        self.content_type = content_type
        _, options = parse_options_header(content_type)
        self._boundary = options.get(b"boundary", b"")
        if not self._boundary or len(self._boundary) > 70:
            raise _malformed("its Content-Type has no boundary: let your HTTP client set the header")
        self.parts = self._parse()

    def fields(self) -> dict[str, str]:
        """The parts that are no files, as text; of several with one name, the first."""
        found: dict[str, str] = {}
        for part in self.parts:
            if part.filename is None and part.name not in found:
                if part.end - part.start > LARGEST_FIELD:
                    raise _malformed(f"the field {part.name!r} is larger than {LARGEST_FIELD} bytes")
                found[part.name] = self._text(part)
        return found

    def uploads(self) -> dict[str, PlacedUpload]:
        """The files by their field's name."""
        return {part.name: PlacedUpload(self._body, part) for part in self.parts if part.filename is not None}

    def payload(self, added: dict[str, str]) -> PlacedPayload:
        """The body as it came, with these fields put before it; parts of the same names are left out."""
        kept: list[bytes | tuple[int, int]] = [self._field(name, value) for name, value in added.items()]
        begin = self.parts[0].begin if self.parts else 0
        for part, after in zip(self.parts, [*self.parts[1:], None], strict=True):
            if part.name in added:
                kept.append((begin, part.begin))
                begin = after.begin if after else self._close
        kept.append((begin, self._body.size))
        return PlacedPayload(self._body, self.content_type, [p for p in kept if isinstance(p, bytes) or p[0] < p[1]])

    def _field(self, name: str, value: str) -> bytes:
        head = f'--{self._boundary.decode()}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        return f"{head}{value}\r\n".encode()

    def _text(self, part: Part) -> str:
        try:
            return self._body.slice(part.start, part.end).decode()
        except UnicodeDecodeError as error:
            raise _malformed(f"the field {part.name!r} is not UTF-8") from error

    def _parse(self) -> list[Part]:
        finder = _Finder()
        try:
            parser = MultipartParser(self._boundary, cast("Any", finder.callbacks()))
            for piece in self._body.pieces(0, self._body.size):
                parser.write(piece)
                finder.base += len(piece)
        except (MultipartParseError, UnicodeDecodeError) as error:
            raise _malformed("it is not multipart/form-data") from error
        if not finder.ended:
            raise _malformed("it breaks off before its closing boundary: send it again")
        self._close = finder.next_begin
        return finder.parts


class _Finder:
    """Notes where the parts of a body are, as the parser comes by. `base` is where the parser's piece begins."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self.base = 0
        self.next_begin = 0
        self._name = self._value = b""
        self._headers_end = 0

    def callbacks(self) -> dict[str, Any]:
        """By the parser's names."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= MOST_PARTS:
            raise _malformed(f"it has more than {MOST_PARTS} parts")
        self.parts.append(Part(begin=self.next_begin))

    def _header_field(self, data: Any, start: int, end: int) -> None:
        self._name += bytes(data[start:end])
        self._headers_end = self.base + end

    def _header_value(self, data: Any, start: int, end: int) -> None:
        self._value += bytes(data[start:end])
        self._headers_end = self.base + end

    def _header_end(self) -> None:
        self.parts[-1].headers[self._name.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        part = self.parts[-1]
        disposition, options = parse_options_header(part.headers.get("content-disposition", ""))
        if disposition != b"form-data" or b"name" not in options:
            raise _malformed("a part has no name")
        part.name = options[b"name"].decode()
        part.filename = options[b"filename"].decode("utf-8", "replace") if b"filename" in options else None
        # The empty line after the last header: CR LF, CR LF.
        part.start = part.end = self._headers_end + 4

    def _data(self, data: Any, start: int, end: int) -> None:
        # The bytes may stand in a buffer of the parser's own, so only their number counts.
        self.parts[-1].end += end - start

    def _part_end(self) -> None:
        # CR LF stands before each boundary but the first.
        self.next_begin = self.parts[-1].end + 2

    def _end(self) -> None:
        self.ended = True


def _malformed(why: str) -> BadRequest:
    return BadRequest(f"the multipart body can't be read: {why}", code="malformed_body")


def is_multipart(content_type: str) -> bool:
    """Whether a Content-Type is multipart/form-data."""
    return bool(re.match(r"multipart/form-data\s*(;|$)", content_type, re.IGNORECASE))
