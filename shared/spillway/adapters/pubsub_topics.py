"""Publishes to topics of Pub/Sub, message by message: a batch would save little money and cost time.

Google's client may repeat a publication whose reply was lost; whoever is told bears duplicates.
`PUBSUB_EMULATOR_HOST` is honoured here, since the asynchronous client does not know it.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.types import PubsubMessage

from spillway.errors import QueueUnavailable

TIMEOUT_S = 5.0


class PubSubTopics:
    """The topics of a project. The client is made on first use, inside the event loop that its calls need."""

    def __init__(self, project: str, *, timeout_s: float = TIMEOUT_S):
        self._project, self._timeout_s = project, timeout_s
        self._client: PublisherAsyncClient | None = None

    async def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """One message, which has gone out when this returns. Raises QueueUnavailable."""
        message = PubsubMessage(data=data, attributes=dict(attributes))
        path = f"projects/{self._project}/topics/{topic}"
        with translated(path):
            async with asyncio.timeout(self._timeout_s):
                self._client = self._client or _connected()
                await self._client.publish(topic=path, messages=[message], timeout=self._timeout_s)

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
