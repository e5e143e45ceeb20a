"""Jobs in the state file, beyond what all stores of jobs hold to."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from spillway.adapters import sqlite_jobs
from spillway.adapters.sqlite_jobs import SqliteJobs
from support.jobs import LANE, NOW, new_job

QUERIES = {name: text for name, text in vars(sqlite_jobs).items() if str(text).startswith("SELECT")}

CLAIMER = """
import asyncio, sys
from pathlib import Path
from random import Random
from spillway.adapters.sqlite_jobs import SqliteJobs
from spillway.services.claiming import Claims

async def main():
    jobs = SqliteJobs(Path(sys.argv[1]), timeout_s=20)
    claims = Claims(jobs, sys.argv[2], lease_s=30, epoch=lambda: float(sys.argv[3]), chance=Random())
    while job := await claims.take(sys.argv[4]):
        print(job.id)
    await jobs.close()

asyncio.run(main())
"""


async def test_two_processes_never_take_one_job(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    jobs = SqliteJobs(path)
    added = [(await jobs.add(new_job())).id for _ in range(60)]
    await jobs.close()
    claimers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, str(path), name, str(NOW + 100), LANE], stdout=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    taken = [out for out, _ in [await asyncio.to_thread(claimer.communicate, None, 60) for claimer in claimers]]
    assert sorted("".join(taken).split()) == sorted(added)


@pytest.mark.alone
async def test_thousand_jobs_at_once_are_taken_in_time(tmp_path: Path) -> None:
    """One sync of the disk for each would take longer than a caller is let wait."""
    jobs = SqliteJobs(tmp_path / "state.db")
    added = await asyncio.gather(*(jobs.add(new_job(caller=f"caller-{number % 50}")) for number in range(1000)))
    assert sorted(job.rank for job in added) == sorted([*range(20)] * 50)
    assert (await jobs.crowd(LANE)).queued == 1000
    await jobs.close()


async def test_jobs_outlive_their_process(tmp_path: Path) -> None:
    first = SqliteJobs(tmp_path / "state.db")
    job = await first.add(new_job())
    await first.close()
    second = SqliteJobs(tmp_path / "state.db")
    assert await second.find(job.id) == job
    await second.close()


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_every_query_goes_by_an_index(tmp_path: Path, name: str) -> None:
    jobs = SqliteJobs(tmp_path / "state.db")
    await jobs.crowd(LANE)
    await jobs.close()
    db = sqlite3.connect(tmp_path / "state.db")
    query = QUERIES[name]
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", [0] * query.count("?"))]
    db.close()
    assert len(plan) == 1
    assert plan[0].startswith("SEARCH jobs USING"), plan
    assert "jobs_by_" in plan[0]
