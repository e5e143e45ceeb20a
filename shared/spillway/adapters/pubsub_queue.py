"""Tells workers by Pub/Sub: the topic's push subscription calls the function `worker`."""

from spillway.adapters.pubsub_topics import TIMEOUT_S, PubSubTopics
from spillway.domain.job_messages import dead_message, due_message
from spillway.domain.jobs import Job


class PubSubQueue:
    """Adapter of ports.jobs.Queue over a topic, and its dead-letter topic `TOPIC-dead`."""

    def __init__(self, project: str, topic: str, *, timeout_s: float = TIMEOUT_S):
        self._topics, self._topic = PubSubTopics(project, timeout_s=timeout_s), topic

    async def tell(self, lane: str, job_id: str) -> None:
        """One job is due in a lane. Raises QueueUnavailable."""
        await self._topics.publish(self._topic, *due_message(lane, job_id))

    async def dead(self, job: Job) -> None:
        """A job has failed for good. Raises QueueUnavailable."""
        await self._topics.publish(f"{self._topic}-dead", *dead_message(job))

    async def close(self) -> None:
        """Close the channel: every message has gone out when its call returned."""
        await self._topics.close()
