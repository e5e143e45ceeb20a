"""Puts the announcer together: the outbox on one side, Discord on the other."""

import logging
import time

from spillway.adapters.discord import DiscordWebhook
from spillway.adapters.http import HttpPool
from spillway.assembly.kept import open_kept
from spillway.errors import BadSettings, SpillwayError
from spillway.ports.announcements import Bell
from spillway.ports.outbox import Outbox
from spillway.services.announcing import Announcing, Report
from spillway.settings import Settings

log = logging.getLogger("spillway.announcing")

CHECK_S = 5.0


class Notifier:
    """Rounds of announcing what waits in an outbox; none where there is no webhook to announce it by."""

    def __init__(self, settings: Settings, outbox: Outbox):
        self._pool, self._outbox = HttpPool(), outbox
        self._announcing: Announcing | None = None
        if settings.discord_webhook_url:
            channel = DiscordWebhook(self._pool, settings.discord_webhook_url.get_secret_value())
            self._announcing = Announcing(outbox, channel, epoch=time.time)

    async def round(self) -> Report:
        """One round."""
        if self._announcing is None:
            return Report(skipped="SPILLWAY_DISCORD_WEBHOOK_URL is not set")
        return await self._announcing.round()

    async def close(self) -> None:
        """Let go of connections; the outbox is closed by whoever opened it."""
        await self._pool.aclose()


class NotifierHouse:
    """The announcer with an outbox of its own, for a process that does nothing else."""

    def __init__(self, settings: Settings):
        if settings.state.startswith("memory:"):
            raise BadSettings("SPILLWAY_STATE: memory:// holds nothing that another function has found")
        self._kept = open_kept(settings)
        self._notifier = Notifier(settings, self._kept.outbox)

    async def round(self) -> Report:
        """One round."""
        return await self._notifier.round()

    async def close(self) -> None:
        """Let go of everything."""
        await self._notifier.close()
        await self._kept.close()


async def check_webhook(settings: Settings) -> None:
    """Raises BadSettings where Discord says that there is no such webhook."""
    if settings.discord_webhook_url is None:
        return
    pool = HttpPool()
    channel = DiscordWebhook(pool, settings.discord_webhook_url.get_secret_value(), call_s=CHECK_S)
    try:
        await channel.check()
    except BadSettings:
        raise
    except SpillwayError as error:
        log.warning("the webhook can't be looked at now, rounds go on trying: %s", error)
    finally:
        await pool.aclose()


def open_bell(settings: Settings) -> Bell | None:
    """What calls the function `notifier`; None where the queue is that of one process. Nothing is connected yet."""
    scheme, _, place = settings.queue.partition("://")
    if scheme == "local":
        return None
    project = place.partition("/")[0]
    if not project:
        raise BadSettings("SPILLWAY_QUEUE: must be pubsub://PROJECT or pubsub://PROJECT/TOPIC")
    from spillway.adapters.pubsub_bell import PubSubBell  # noqa: PLC0415 (by scheme)

    return PubSubBell(project, f"{settings.deployment}-announcements")
