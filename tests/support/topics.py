"""Topics of the Pub/Sub emulator as Terraform makes them in production, and what was said in them."""

import asyncio
import uuid
from contextlib import suppress
from types import TracebackType
from typing import Any

import grpc
from google.api_core.exceptions import GoogleAPIError
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from google.pubsub_v1.types import PubsubMessage


class Topics:
    """A project of its own in the emulator at `address`; to be entered."""

    def __init__(self, address: str):
        self.project = f"test-{uuid.uuid4().hex[:12]}"
        self._made: list[str] = []
        self._publisher = PublisherAsyncClient(
            transport=PublisherGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(address))
        )
        self._subscriber = SubscriberAsyncClient(
            transport=SubscriberGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(address))
        )

    async def __aenter__(self) -> "Topics":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What pushes to a server that is gone would keep the emulator busy for the tests that follow.
        for subscription in self._made:
            with suppress(GoogleAPIError):
                await self._subscriber.delete_subscription(subscription=subscription)
        await self._publisher.transport.close()
        await self._subscriber.transport.close()

    async def make(self, topic: str, *, push_to: str | None = None, dead_letters: str | None = None) -> None:
        """A topic with one subscription of its name, which pushes to an address or is to be pulled.

        What was refused five times goes to the topic `dead_letters`, after some 5 s. There is no retry policy: with one
        the emulator (0.8.20) may set a message that failed down twice for its next delivery, falls over the second (a
        NullPointerException ends the task that would go on), and never delivers it again.
        """
        path = f"projects/{self.project}/topics/{topic}"
        await self._publisher.create_topic(name=path)
        subscription: dict[str, Any] = {"name": self._subscription(topic), "topic": path, "ack_deadline_seconds": 60}
        if push_to:
            subscription["push_config"] = {"push_endpoint": push_to}
        if dead_letters:
            dead_topic = f"projects/{self.project}/topics/{dead_letters}"
            subscription["dead_letter_policy"] = {"dead_letter_topic": dead_topic, "max_delivery_attempts": 5}
        await self._subscriber.create_subscription(request=subscription)
        self._made.append(subscription["name"])

    async def said(self, topic: str, count: int, within_s: float = 30.0) -> list[PubsubMessage]:
        """The next messages of a topic, acknowledged. Fails where not so many come in time."""
        found: list[PubsubMessage] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while len(found) < count:
                    found += await self._pulled(topic, count - len(found))
        assert len(found) == count, f"{len(found)} of {count} messages came to {topic} within {within_s:g} s: {found}"
        return found

    async def _pulled(self, topic: str, most: int) -> list[PubsubMessage]:
        subscription = self._subscription(topic)
        pulled = await self._subscriber.pull(subscription=subscription, max_messages=most, timeout=60)
        if acks := [one.ack_id for one in pulled.received_messages]:
            await self._subscriber.acknowledge(subscription=subscription, ack_ids=acks)
        return [one.message for one in pulled.received_messages]

    async def say(self, topic: str, data: bytes, attributes: dict[str, str] | None = None) -> None:
        """One message."""
        message = PubsubMessage(data=data, attributes=attributes or {})
        await self._publisher.publish(topic=f"projects/{self.project}/topics/{topic}", messages=[message], timeout=20)

    def _subscription(self, topic: str) -> str:
        return f"projects/{self.project}/subscriptions/{topic}"
