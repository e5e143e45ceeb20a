"""Topics of the Pub/Sub emulator as Terraform makes them in production, and what was said in them."""

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

        What was refused five times goes to the topic `dead_letters`.
        """
        path = f"projects/{self.project}/topics/{topic}"
        await self._publisher.create_topic(name=path)
        subscription: dict[str, Any] = {"name": self._subscription(topic), "topic": path, "ack_deadline_seconds": 60}
        if push_to:
            subscription["push_config"] = {"push_endpoint": push_to}
        if dead_letters:
            dead_topic = f"projects/{self.project}/topics/{dead_letters}"
            subscription["dead_letter_policy"] = {"dead_letter_topic": dead_topic, "max_delivery_attempts": 5}
            subscription["retry_policy"] = {"minimum_backoff": {"seconds": 0}, "maximum_backoff": {"seconds": 1}}
        await self._subscriber.create_subscription(request=subscription)
        self._made.append(subscription["name"])

    async def said(self, topic: str, count: int) -> list[PubsubMessage]:
        """The next messages of a topic, acknowledged; waits for so many."""
        found: list[PubsubMessage] = []
        while len(found) < count:
            pulled = await self._subscriber.pull(
                subscription=self._subscription(topic), max_messages=count - len(found), timeout=20
            )
            found += [one.message for one in pulled.received_messages]
            if acks := [one.ack_id for one in pulled.received_messages]:
                await self._subscriber.acknowledge(subscription=self._subscription(topic), ack_ids=acks)
        return found

    async def say(self, topic: str, data: bytes, attributes: dict[str, str] | None = None) -> None:
        """One message."""
        message = PubsubMessage(data=data, attributes=attributes or {})
        await self._publisher.publish(topic=f"projects/{self.project}/topics/{topic}", messages=[message], timeout=20)

    def _subscription(self, topic: str) -> str:
        return f"projects/{self.project}/subscriptions/{topic}"
