"""Publishes to topics of Pub/Sub, message by message: a batch would save little money and cost time.

Google's client may repeat a publication whose reply was lost; whoever is told bears duplicates.
`PUBSUB_EMULATOR_HOST` is honoured here, since the asynchronous client does not know it.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.types import PubsubMessage

from spillway.errors import QueueUnavailable

TIMEOUT_S = 3.0
"""Whoever hands in a job waits for this, many clients for five seconds at most. A sweep says again what was lost."""
AWAY_S, AWAY_TIMEOUT_S = 10.0, 0.5
"""So long after a call that failed the next ones are given up sooner: not every caller has to wait for what is away."""


class PubSubTopics:
    """The topics of a project. The client is made on first use, inside the event loop that its calls need."""

    def __init__(self, project: str, *, timeout_s: float = TIMEOUT_S):
        self._project, self._timeout_s = project, timeout_s
        self._client: PublisherAsyncClient | None = None
        self._away_until = float("-inf")

    async def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """One message, which has gone out when this returns. Raises QueueUnavailable."""
        message = PubsubMessage(data=data, attributes=dict(attributes))
        path = f"projects/{self._project}/topics/{topic}"
        with translated(path), self._shorter_while_away() as limit_s:
            async with asyncio.timeout(limit_s):
                self._client = self._client or _connected()
                await self._client.publish(topic=path, messages=[message], timeout=limit_s)

    @contextmanager
    def _shorter_while_away(self) -> Iterator[float]:
        """The time limit of one call. Time and again one has all of it, as what is slow is not away."""
        away = time.monotonic() < self._away_until
        try:
            yield min(self._timeout_s, AWAY_TIMEOUT_S) if away else self._timeout_s
        except Exception:
            if not away:
                self._away_until = time.monotonic() + AWAY_S
            raise

    async def close(self) -> None:
        """Close the channel, where there is one."""
        if self._client:
            await self._client.transport.close()  # type: ignore[no-untyped-call]


@contextmanager
def translated(topic: str) -> Iterator[None]:
    """Turn what Google's libraries and the time limit raise into QueueUnavailable."""
    try:
        yield
    except TimeoutError as error:
        raise QueueUnavailable(f"Pub/Sub was silent for too long ({topic})") from error
    except (GoogleAPIError, GoogleAuthError, grpc.RpcError, grpc.aio.UsageError, OSError) as error:
        raise QueueUnavailable(f"Pub/Sub can't be used ({type(error).__name__}, {topic})") from error


def _connected() -> PublisherAsyncClient:
    emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
    if not emulator:
        return PublisherAsyncClient()
    return PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(emulator)))
