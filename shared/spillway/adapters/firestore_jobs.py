"""Jobs in Firestore, at `jobs/{id}`: a job's text beside the fields that it is found by (domain.job_documents).

Nothing is locked: a save is made on condition of the time of the last update, which belongs to one revision. That time
is remembered from the last look or write, or else looked up. `expires` is the field of the collection's TTL policy: a
net under the sweep, which removes finished jobs with their files a day earlier.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, NotFound
from google.cloud.firestore_v1.async_collection import AsyncCollectionReference
from google.cloud.firestore_v1.async_document import AsyncDocumentReference
from google.cloud.firestore_v1.async_query import AsyncQuery
from google.cloud.firestore_v1.base_document import DocumentSnapshot

from spillway.adapters import firestore_queries as queries
from spillway.adapters.firestore_database import FirestoreDatabase, translated
from spillway.domain.documents import name_of
from spillway.domain.fairness import Turns, place
from spillway.domain.job_documents import packed, sought, unpacked
from spillway.domain.jobs import Job
from spillway.errors import Conflict
from spillway.ports.jobs import Crowd

MOST_REMEMBERED = 4096
MOST_IDS = 300
NET_S = 86_400.0
TIMEOUT_S = 5.0
"""Longer than for other state: who is refused has to send all of an input again."""
ADDED_AT_ONCE = 32
"""More side by side would only make all of them late."""


class FirestoreJobs:
    """Adapter of ports.jobs.Jobs over a Firestore database. Finished jobs are kept for `keep_s`, and a day.

    Jobs of one caller that several instances add to one lane in the same instant may get the same rank.
    """

    def __init__(
        self, project: str, database: str = "(default)", *, keep_s: float = 7 * NET_S, timeout_s: float = TIMEOUT_S
    ):
        self._database = FirestoreDatabase(project, database, timeout_s=timeout_s)
        self._keep_s = keep_s
        self._times: OrderedDict[str, tuple[int, DatetimeWithNanoseconds]] = OrderedDict()
        self._turns = Turns()
        self._adding = asyncio.Semaphore(ADDED_AT_ONCE)

    async def add(self, job: Job) -> Job:
        """Keep a new job with its rank. Raises Conflict."""
        async with self._hand(), self._database.bounded():
            with self._turns.taking(job.lane, job.caller) as turn:
                placed = replace(job, rank=turn(*await self._neighbours(job)))
                written = await self._create(placed)
        self._remember(placed, written.update_time)
        return placed

    async def find(self, job_id: str) -> Job | None:
        """The latest revision."""
        return next(iter(await self.find_many([job_id])), None)

    async def find_many(self, job_ids: Collection[str]) -> list[Job]:
        """Those of them that there are."""
        places = [self._place(job_id) for job_id in set(job_ids)]
        found: list[Job] = []
        for begin in range(0, len(places), MOST_IDS):
            some = self._database.client.get_all(places[begin : begin + MOST_IDS], timeout=self._database.timeout_s)
            async with self._database.bounded():
                found += [self._job(snapshot) async for snapshot in some if snapshot.exists]
        return found

    async def save(self, job: Job) -> None:
        """Write over the revision before. Raises Conflict."""
        condition = self._database.only_over(await self._updated(job))
        async with self._database.bounded():
            try:
                written = await self._place(job.id).update(self._fields(job), option=condition, **self._database.once)
            except (FailedPrecondition, NotFound, Aborted) as error:
                self._times.pop(job.id, None)
                raise Conflict(f"job {job.id} was changed meanwhile") from error
        self._remember(job, written.update_time)

    async def claimable(self, lane: str, now: float, limit: int = 1) -> list[Job]:
        """The lane's first jobs that a worker may take up now."""
        return await self._jobs(queries.claimable(self._collection(), name_of(lane), now), limit)

    async def ahead(self, job: Job) -> int:
        """How many queued jobs of its lane stand before it."""
        return await self._count(queries.ahead(self._collection(), name_of(job.lane), place(job)))

    async def crowd(self, lane: str) -> Crowd:
        """How many stand in a lane."""
        counts = (
            self._count(queries.in_status(self._collection(), name_of(lane), status))
            for status in ("queued", "running")
        )
        return Crowd(*await asyncio.gather(*counts))

    async def waiting(self, now: float, limit: int = 1000) -> list[Job]:
        """Claimable jobs of all lanes, the longest due first."""
        return await self._jobs(queries.until(self._collection(), "due", now), limit)

    async def unsent(self, now: float, limit: int = 100) -> list[Job]:
        """Finished jobs whose webhook is due, the longest due first."""
        return await self._jobs(queries.until(self._collection(), "webhook_at", now), limit)

    async def changed_since(self, at: float, limit: int = 1000) -> list[tuple[str, int, float]]:
        """(id, sequence, at) of jobs whose last change is not older, the oldest first."""
        found = await self._snapshots(queries.changed_since(self._collection(), at), limit)
        return [(str(one.get("id")), int(one.get("sequence")), float(one.get("changed_at"))) for one in found]

    async def finished_before(self, at: float, limit: int = 500) -> list[Job]:
        """Jobs that ended before `at`, the oldest first."""
        return await self._jobs(queries.finished_before(self._collection(), at), limit)

    async def remove(self, job_id: str) -> None:
        """Forget a job."""
        async with self._database.bounded():
            await self._place(job_id).delete(timeout=self._database.timeout_s)

    async def close(self) -> None:
        """Close the channel, where there is one."""
        await self._database.close()

    @asynccontextmanager
    async def _hand(self) -> AsyncIterator[None]:
        """A turn among those that are added now; waits for it as long as twice the time limit."""
        with translated():
            async with asyncio.timeout(2 * self._database.timeout_s):
                await self._adding.acquire()
        try:
            yield
        finally:
            self._adding.release()

    async def _neighbours(self, job: Job) -> tuple[int | None, int | None]:
        """The ranks of the lane's head and of the caller's last job in it."""
        jobs, lane = self._collection(), name_of(job.lane)
        return await asyncio.gather(
            self._head(lane, job.created_at),
            self._first_rank(queries.callers_last(jobs, lane, name_of(job.caller))),
        )

    async def _head(self, lane: str, now: float) -> int | None:
        jobs = self._collection()
        for queued in await self._jobs(queries.queued(jobs, lane), 1):
            if queued.not_before <= now:
                return queued.rank
        first = await self._first_rank(queries.claimable(jobs, lane, now))
        return await self._first_rank(queries.claimable(jobs, lane)) if first is None else first

    async def _first_rank(self, query: AsyncQuery) -> int | None:
        found = await self._snapshots(query.select(["rank"]), 1)
        return int(found[0].get("rank")) if found else None

    async def _create(self, job: Job) -> Any:
        try:
            return await self._place(job.id).create(self._fields(job), **self._database.once)
        except (AlreadyExists, Aborted) as error:
            raise Conflict(f"there is a job {job.id}") from error

    async def _updated(self, job: Job) -> DatetimeWithNanoseconds:
        """When the revision before this one was written. Raises Conflict where another one is the latest."""
        revision, updated = self._times.get(job.id) or await self._looked_up(job.id)
        if revision != job.revision - 1:
            revision, updated = await self._looked_up(job.id)
        if revision != job.revision - 1:
            raise Conflict(f"job {job.id} was changed meanwhile")
        return updated

    async def _looked_up(self, job_id: str) -> tuple[int, Any]:
        async with self._database.bounded():
            snapshot = await self._place(job_id).get(["revision"], timeout=self._database.timeout_s)
        return (int(snapshot.get("revision")), snapshot.update_time) if snapshot.exists else (0, None)

    def _remember(self, job: Job, updated: Any) -> None:
        self._times[job.id] = (job.revision, updated)
        self._times.move_to_end(job.id)
        if len(self._times) > MOST_REMEMBERED:
            self._times.popitem(last=False)

    def _fields(self, job: Job) -> dict[str, Any]:
        expires = None if job.finished_at is None else job.finished_at + self._keep_s + NET_S
        return {
            **sought(job),
            "id": job.id,
            "text": packed(job),
            # Longer values are cut in an index.
            "lane": name_of(job.lane),
            "caller": name_of(job.caller),
            "expires": None if expires is None else datetime.fromtimestamp(expires, UTC),
        }

    def _job(self, snapshot: DocumentSnapshot[Any]) -> Job:
        job = unpacked(snapshot.get("text"))
        self._remember(job, snapshot.update_time)
        return job

    async def _jobs(self, query: AsyncQuery, limit: int) -> list[Job]:
        return [self._job(snapshot) for snapshot in await self._snapshots(query, limit)]

    async def _snapshots(self, query: AsyncQuery, limit: int) -> list[DocumentSnapshot[Any]]:
        async with self._database.bounded():
            return [snapshot async for snapshot in query.limit(limit).stream(timeout=self._database.timeout_s)]

    async def _count(self, query: AsyncQuery) -> int:
        # The library's decorator hides from mypy that this is a method.
        counting = query.count()
        async with self._database.bounded():
            [[counted]] = await counting.get(timeout=self._database.timeout_s)  # type: ignore[call-arg]
        return int(counted.value)

    def _collection(self) -> AsyncCollectionReference:
        return self._database.client.collection("jobs")

    def _place(self, job_id: str) -> AsyncDocumentReference:
        return self._collection().document(name_of(job_id))
