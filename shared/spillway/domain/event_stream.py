"""Server-sent events, read and written (WHATWG HTML, "Server-sent events")."""

from collections.abc import Iterator
from dataclasses import dataclass

DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its `data` without the framing, `event` is "message" unless named."""

    data: str
    event: str = "message"


class EventDecoder:
    """Turns bytes, cut anywhere, into events. An event that the stream's end cuts short is never given out."""

    def __init__(self, *, limit: int = 4 * 1024 * 1024):
        self._rest = b""
        self._data: list[str] = []
        self._event = ""
        self._limit = limit

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that `piece` completes. Raises ValueError where a line is not UTF-8 or has no end."""
        lines = (self._rest + piece).replace(b"\r\n", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > self._limit:
            raise ValueError(f"a line of more than {self._limit} bytes")
        for line in lines:
            event = self._take(line.rstrip(b"\r").decode())
            if event:
                yield event

    def _take(self, line: str) -> Event | None:
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                self._data.append(value)
            elif name == "event":
                self._event = value
            return None
        event = Event("\n".join(self._data), self._event or "message") if self._data else None
        self._data, self._event = [], ""
        return event


def encode(data: str, event: str | None = None, event_id: str | None = None) -> bytes:
    """One event as it goes over the wire."""
    head = (f"event: {event}\n" if event else "") + (f"id: {event_id}\n" if event_id else "")
    return (head + "".join(f"data: {line}\n" for line in data.split("\n")) + "\n").encode()


def comment(text: str = "") -> bytes:
    """A comment: it keeps a connection alive and no client sees it."""
    return f": {text}\n\n".encode()
