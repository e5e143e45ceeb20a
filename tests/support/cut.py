"""A way to a server that a test can cut, mend, and lead to another server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Way:
    """A TCP forwarder: while it is `cut`, what was connected is closed and nothing new is let through."""

    def __init__(self, host: str, port: int):
        self._host, self._port = host, port
        self._writers: set[asyncio.StreamWriter] = set()
        self.is_cut = False
        self.address = ""

    def cut(self) -> None:
        """From now on."""
        self.is_cut = True
        for writer in self._writers:
            writer.close()

    def mend(self) -> None:
        """Let connections through again."""
        self.is_cut = False

    def lead_to(self, port: int) -> None:
        """What is connected from now on goes to another port; what was connected stays where it is."""
        self._port = port

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.is_cut:
            writer.close()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            # Nobody listens there: whoever comes sees a connection that is closed at once.
            writer.close()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
        self._writers -= {writer, far_writer}


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def way_to(address: str) -> AsyncIterator[Way]:
    """A way to host:port; its own `address` is what to connect to."""
    host, _, port = address.rpartition(":")
    way = Way(host, int(port))
    server = await asyncio.start_server(way.forward, "127.0.0.1", 0)
    way.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield way
        way.cut()
