"""Puts together what callers see of jobs, and what keeps a request from being done twice."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from spillway.adapters.webhook_http import HttpWebhooks
from spillway.assembly.inside import Inside
from spillway.assembly.state import open_files, open_jobs, open_queue
from spillway.errors import Overloaded, StoreUnavailable
from spillway.ports.jobs import Files, Queue
from spillway.ports.webhooks import Secrets
from spillway.services.admission import Admission
from spillway.services.changes import Changes, WatchedJobs
from spillway.services.hosted_try import end_hosted
from spillway.services.idempotency import Idempotency
from spillway.services.job_views import JobViews
from spillway.services.jobs import JobDesk, Places
from spillway.services.paces import Paces
from spillway.services.webhooks import Deliveries


@dataclass(frozen=True, slots=True)
class JobSide:
    """All of it. Whoever writes jobs in this process writes them through `jobs`, so that listeners are woken."""

    jobs: WatchedJobs
    queue: Queue
    files: Files
    paces: Paces
    changes: Changes
    views: JobViews
    deliveries: Deliveries
    desk: JobDesk
    idempotency: Idempotency

    async def close(self) -> None:
        """Finish what goes on beside requests, and let go of connections and files."""
        await self.changes.close()
        await self.deliveries.close()
        await self.paces.close()
        await self.queue.close()
        await self.files.close()
        await self.jobs.close()


def job_side(own: Inside) -> JobSide:
    """Loads the clients of hosted inference, but nothing is connected yet. Raises BadSettings."""
    settings = own.settings
    stored, queue, files = open_jobs(settings), open_queue(settings), open_files(settings)
    changes = Changes(stored, epoch=time.time, most=settings.max_listeners)
    jobs, paces = WatchedJobs(stored, changes), Paces(own.store, epoch=time.time)
    views = JobViews(jobs, files, paces.of, epoch=time.time)
    deliveries = Deliveries(jobs, _webhooks(own), views.now, _secrets(own), epoch=time.time, chance=Random())
    admission = Admission(jobs, paces.of, own.backends.hosted, epoch=time.time)
    stop = partial(end_hosted, own.predictions())
    desk = JobDesk(own.routes, Places(jobs, queue, files), admission, deliveries, stop=stop, epoch=time.time)
    idempotency = Idempotency(own.store, files, epoch=time.time)
    return JobSide(jobs, queue, files, paces, changes, views, deliveries, desk, idempotency)


def _webhooks(own: Inside) -> HttpWebhooks:
    """Posts to public addresses, and on the inside only where that is allowed."""
    allowed = own.settings.allow_private_urls
    return HttpWebhooks(own.pool if allowed else own.public, allow_private=allowed)


def _secrets(own: Inside) -> Secrets:
    """A key's own secret, else the one of the settings."""
    given = own.settings.webhook_secret
    common = given.get_secret_value() if given else None

    async def secret_of(caller_id: str) -> str | None:
        if own.settings.auth != "keys":
            return common
        try:
            caller = await own.keyring.known(caller_id)
        except Overloaded as error:
            raise StoreUnavailable("keys can't be read just now") from error
        return (caller.secret if caller else None) or common

    return secret_of


def stop_prediction(own: Inside) -> Callable[[str], Awaitable[None]]:
    """Ends one prediction. All providers that tell ids are Replicate, by one token, so any of them can.

    Loads their clients.
    """
    known = list(own.predictions().values())[:1]

    async def stop(prediction_id: str) -> None:
        for predictions in known:
            await predictions.cancel((prediction_id,))

    return stop
