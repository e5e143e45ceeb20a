"""Jobs in the state file: one row a job, its text beside the columns that it is found by (domain.job_documents)."""

import sqlite3
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from spillway.adapters.sqlite_file import TIMEOUT_S, SqliteFile
from spillway.domain.fairness import place, rank
from spillway.domain.job_documents import packed, sought, unpacked
from spillway.domain.jobs import Job
from spillway.errors import Conflict
from spillway.ports.jobs import Crowd

# What SQLite takes as parameters of one statement in its oldest builds.
MOST_IDS = 900

_TABLES = (
    """CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, text TEXT NOT NULL, revision INTEGER NOT NULL, sequence INTEGER NOT NULL, lane TEXT NOT NULL,
    caller TEXT NOT NULL, status TEXT NOT NULL, over INTEGER NOT NULL, rank INTEGER NOT NULL, place TEXT NOT NULL,
    due REAL, changed_at REAL NOT NULL, finished_at REAL, webhook_at REAL
) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS jobs_by_place ON jobs (lane, place) WHERE over = 0",
    "CREATE INDEX IF NOT EXISTS jobs_by_caller ON jobs (lane, caller, rank) WHERE over = 0",
    "CREATE INDEX IF NOT EXISTS jobs_by_status ON jobs (lane, status, place) WHERE over = 0",
    "CREATE INDEX IF NOT EXISTS jobs_by_due ON jobs (due) WHERE over = 0",
    "CREATE INDEX IF NOT EXISTS jobs_by_change ON jobs (changed_at)",
    "CREATE INDEX IF NOT EXISTS jobs_by_end ON jobs (finished_at) WHERE over = 1",
    "CREATE INDEX IF NOT EXISTS jobs_by_webhook ON jobs (webhook_at) WHERE webhook_at IS NOT NULL",
)
_COLUMNS = (
    "text", "revision", "sequence", "lane", "caller", "status", "over", "rank", "place", "due", "changed_at",
    "finished_at", "webhook_at",
)  # fmt: skip
_MARKS = ", ".join(f":{column}" for column in _COLUMNS)
_ADD = f"INSERT INTO jobs (id, {', '.join(_COLUMNS)}) VALUES (:id, {_MARKS}) ON CONFLICT DO NOTHING"  # noqa: S608
_SETS = ", ".join(f"{column} = :{column}" for column in _COLUMNS)
_SAVE = f"UPDATE jobs SET {_SETS} WHERE id = :id AND revision = :revision - 1"  # noqa: S608
_FIRST_QUEUED = "SELECT text FROM jobs WHERE over = 0 AND lane = ? AND status = 'queued' ORDER BY place LIMIT 1"
_FIRST_DUE = "SELECT rank FROM jobs WHERE over = 0 AND lane = ? AND due <= ? ORDER BY place LIMIT 1"
_FIRST = "SELECT rank FROM jobs WHERE over = 0 AND lane = ? ORDER BY place LIMIT 1"
_LAST = "SELECT max(rank) FROM jobs WHERE over = 0 AND lane = ? AND caller = ?"
_CLAIMABLE = "SELECT text FROM jobs WHERE over = 0 AND lane = ? AND due <= ? ORDER BY place LIMIT ?"
_AHEAD = "SELECT count(*) FROM jobs WHERE over = 0 AND lane = ? AND status = 'queued' AND place < ?"
_CROWD = "SELECT status, count(*) FROM jobs WHERE over = 0 AND lane = ? GROUP BY status"
_WAITING = "SELECT text FROM jobs WHERE over = 0 AND due <= ? ORDER BY due LIMIT ?"
_UNSENT = "SELECT text FROM jobs WHERE webhook_at <= ? ORDER BY webhook_at LIMIT ?"
_CHANGED = "SELECT id, sequence, changed_at FROM jobs WHERE changed_at >= ? ORDER BY changed_at LIMIT ?"
_FINISHED = "SELECT text FROM jobs WHERE over = 1 AND finished_at < ? ORDER BY finished_at LIMIT ?"
_REMOVE = "DELETE FROM jobs WHERE id = ?"


class SqliteJobs:
    """Adapter of ports.jobs.Jobs over the state file."""

    def __init__(self, path: Path, *, timeout_s: float = TIMEOUT_S):
        self._file = SqliteFile(path, _TABLES, timeout_s=timeout_s)

    async def add(self, job: Job) -> Job:
        """Keep a new job with its rank. Raises Conflict."""

        def add(db: sqlite3.Connection) -> Job | None:
            placed = replace(job, rank=_turn(db, job))
            return placed if db.execute(_ADD, _row(placed)).rowcount else None

        # What can't be stored is refused here, and not in the midst of others' jobs.
        packed(job)
        placed = await self._file.together(add)
        if placed is None:
            raise Conflict(f"there is a job {job.id}")
        return placed

    async def find(self, job_id: str) -> Job | None:
        """The latest revision."""
        return next(iter(await self.find_many([job_id])), None)

    async def find_many(self, job_ids: Collection[str]) -> list[Job]:
        """Those of them that there are."""
        ids = list(set(job_ids))
        found: list[Job] = []
        for begin in range(0, len(ids), MOST_IDS):
            some = ids[begin : begin + MOST_IDS]
            marks = ", ".join("?" * len(some))
            found += await self._jobs(f"SELECT text FROM jobs WHERE id IN ({marks})", *some)  # noqa: S608 (marks only)
        return found

    async def save(self, job: Job) -> None:
        """Write over the revision before. Raises Conflict."""
        row = _row(job)
        if not await self._file.together(lambda db: db.execute(_SAVE, row).rowcount):
            raise Conflict(f"job {job.id} was changed meanwhile")

    async def claimable(self, lane: str, now: float, limit: int = 1) -> list[Job]:
        """The lane's first jobs that a worker may take up now."""
        return await self._jobs(_CLAIMABLE, lane, now, limit)

    async def ahead(self, job: Job) -> int:
        """How many queued jobs of its lane stand before it."""
        [(count,)] = await self._rows(_AHEAD, job.lane, place(job))
        return int(count)

    async def crowd(self, lane: str) -> Crowd:
        """How many stand in a lane."""
        counts = dict(await self._rows(_CROWD, lane))
        return Crowd(counts.get("queued", 0), counts.get("running", 0))

    async def waiting(self, now: float, limit: int = 1000) -> list[Job]:
        """Claimable jobs of all lanes, the longest due first."""
        return await self._jobs(_WAITING, now, limit)

    async def unsent(self, now: float, limit: int = 100) -> list[Job]:
        """Finished jobs whose webhook is due, the longest due first."""
        return await self._jobs(_UNSENT, now, limit)

    async def changed_since(self, at: float, limit: int = 1000) -> list[tuple[str, int, float]]:
        """(id, sequence, at) of jobs whose last change is not older, the oldest first."""
        return await self._rows(_CHANGED, at, limit)

    async def finished_before(self, at: float, limit: int = 500) -> list[Job]:
        """Jobs that ended before `at`, the oldest first."""
        return await self._jobs(_FINISHED, at, limit)

    async def remove(self, job_id: str) -> None:
        """Forget a job."""
        await self._file.together(lambda db: db.execute(_REMOVE, (job_id,)))

    async def close(self) -> None:
        """Close the file, where it was opened."""
        await self._file.close()

    async def _jobs(self, statement: str, *values: Any) -> list[Job]:
        return [unpacked(text) for (text,) in await self._rows(statement, *values)]

    async def _rows(self, statement: str, *values: Any) -> list[Any]:
        return await self._file.run(lambda db: db.execute(statement, values).fetchall())


def _turn(db: sqlite3.Connection, job: Job) -> int:
    [own_last] = db.execute(_LAST, (job.lane, job.caller)).fetchone()
    return rank(_head(db, job.lane, job.created_at), own_last)


def _head(db: sqlite3.Connection, lane: str, now: float) -> int | None:
    found = db.execute(_FIRST_QUEUED, (lane,)).fetchone()
    if found and (queued := unpacked(found[0])).not_before <= now:
        return queued.rank
    first = db.execute(_FIRST_DUE, (lane, now)).fetchone() or db.execute(_FIRST, (lane,)).fetchone()
    return int(first[0]) if first else None


def _row(job: Job) -> dict[str, Any]:
    return {"id": job.id, "text": packed(job), **sought(job)}
