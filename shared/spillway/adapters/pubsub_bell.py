"""Rings by Pub/Sub: the topic's push subscription calls the function `notifier`."""

from spillway.adapters.pubsub_topics import TIMEOUT_S, PubSubTopics


class PubSubBell:
    """Adapter of ports.announcements.Bell over a topic."""

    def __init__(self, project: str, topic: str, *, timeout_s: float = TIMEOUT_S):
        self._topics, self._topic = PubSubTopics(project, timeout_s=timeout_s), topic

    async def ring(self) -> None:
        """A message that says nothing more. Raises QueueUnavailable."""
        await self._topics.publish(self._topic, b"", {"about": "announcements"})

    async def close(self) -> None:
        """Close the channel."""
        await self._topics.close()
