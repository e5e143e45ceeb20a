"""A multipart/form-data body, taken apart where it lies.

It is kept as it came; its parts are found by their place in it, so they go on unchanged and an upload is never held
twice.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from spillway.edge.bodies import PIECE, Body
from spillway.errors import BadRequest

MOST_PARTS = 64
LARGEST_FIELD = 1024 * 1024


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
        """See Upload."""
        return self._body.open(self._part.start, self.size)


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
