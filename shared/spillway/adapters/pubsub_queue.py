"""Tells workers by Pub/Sub: the topic's push subscription calls the function `worker`.

Each message goes out by itself and at once: a batch would save little money and cost the caller's time. Google's
client may repeat a publication whose reply was lost; workers bear duplicates. `PUBSUB_EMULATOR_HOST` is honoured here,
since the asynchronous client does not know it.
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

from spillway.domain.job_messages import dead_message, due_message
from spillway.domain.jobs import Job
from spillway.errors import QueueUnavailable

TIMEOUT_S = 5.0


class PubSubQueue:
    """Adapter of ports.jobs.Queue over a topic, and its dead-letter topic `TOPIC-dead`.

    The client is made on first use, inside the event loop that its calls need.
    """

    def __init__(self, project: str, topic: str, *, timeout_s: float = TIMEOUT_S):
        self._topic = f"projects/{project}/topics/{topic}"
        self._timeout_s = timeout_s
        self._client: PublisherAsyncClient | None = None

    async def tell(self, lane: str, job_id: str) -> None:
        """One job is due in a lane. Raises QueueUnavailable."""
        await self._publish(self._topic, *due_message(lane, job_id))

    async def dead(self, job: Job) -> None:
        """A job has failed for good. Raises QueueUnavailable."""
        await self._publish(f"{self._topic}-dead", *dead_message(job))

    async def close(self) -> None:
        """Close the channel, where there is one: every message has gone out when its call returned."""
        if self._client:
            await self._client.transport.close()  # type: ignore[no-untyped-call]

    async def _publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        message = PubsubMessage(data=data, attributes=dict(attributes))
        with translated(topic):
            async with asyncio.timeout(self._timeout_s):
                self._client = self._client or _connected()
                await self._client.publish(topic=topic, messages=[message], timeout=self._timeout_s)


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
