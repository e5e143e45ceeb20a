"""Request bodies: each kept once (in memory up to 1 MiB, on disk beyond), bounded alone and all together.

A body is read whole before the first try: the field that names the model may be its last, and a paid try must not be
spent on an upload that breaks off.
"""

import io
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from starlette.types import Receive, Scope

from spillway.errors import BadRequest, Overloaded

IN_MEMORY = 1024 * 1024
PIECE = 64 * 1024


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

    def open(self, start: int = 0, size: int | None = None) -> BinaryIO:
        """A reader of its own of all of it, or of `size` bytes from `start`: several may read at once."""
        reader = _Reader(self, start, self.size if size is None else size)
        return cast("BinaryIO", io.BufferedReader(reader))

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
