"""A worker in a process of its own, as the front door sees it: it takes the steps that a test tells it to."""

import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from spillway.adapters.directory_files import DirectoryFiles
from spillway.adapters.sqlite_jobs import SqliteJobs
from spillway.domain import job_steps
from spillway.domain.jobs import Hosted, Job, Problem, Webhook
from spillway.ports.jobs import Files, Jobs

LEASE_S = 30.0
PICTURE = {"images": [{"url": "https://example.com/a.png", "seed": 1, "nsfw": False}]}


class Puppet:
    """Steps of jobs by their ids, written as a worker writes them."""

    def __init__(self, jobs: Jobs, files: Files):
        self.jobs, self.files = jobs, files

    async def claim(self, job_id: str) -> Job:
        """Take it up."""
        return await self._saved(job_steps.claimed(await self.job(job_id), "puppet", time.time(), LEASE_S))

    async def start(self, job_id: str, served_by: str = "subnet") -> Job:
        """Take it up where nobody has, and begin a try."""
        job = await self.job(job_id)
        held = job if job.lease else await self.claim(job_id)
        return await self._saved(job_steps.started(held, time.time(), served_by))

    async def host(self, job_id: str, *ids: str) -> Job:
        """Begin a prediction at a provider."""
        job = await self.start(job_id, "replicate")
        begun = job_steps.starting(job, Hosted("replicate", "owner/model", 0, time.time(), 0.06))
        return await self._saved(job_steps.found(await self._saved(begun), ids))

    async def renew(self, job_id: str, progress: float | None = None) -> Job:
        """Say that it lives, and how far the provider is."""
        return await self._saved(job_steps.renewed(await self.job(job_id), time.time(), LEASE_S, progress=progress))

    async def hand_back(self, job_id: str) -> Job:
        """Stop in order."""
        return await self._saved(job_steps.handed_back(await self.job(job_id), time.time()))

    async def succeed(self, job_id: str, result: dict[str, Any] | None = None, model: str = "a/model") -> Job:
        """Bring the result."""
        job = await self.job(job_id)
        await self.files.write(f"results/{job_id}", io.BytesIO(json.dumps(result or PICTURE).encode()))
        return await self._saved(job_steps.succeeded(job, time.time(), f"results/{job_id}", model))

    async def fail(self, job_id: str, code: str = "content_refused", message: str = "not this") -> Job:
        """Find that it can't be done."""
        return await self._saved(job_steps.failed(await self.job(job_id), time.time(), Problem(code, message)))

    async def redirect_webhook(self, job_id: str, url: str) -> Job:
        """Let its webhook lead elsewhere, as a name may that is resolved anew."""
        job = await self.job(job_id)
        return await self._saved(replace(job, webhook=Webhook(url), revision=job.revision + 1))

    async def job(self, job_id: str) -> Job:
        """As it is stored."""
        found = await self.jobs.find(job_id)
        assert found is not None
        return found

    async def _saved(self, job: Job) -> Job:
        await self.jobs.save(job)
        return job


@asynccontextmanager
async def puppet(state: Path, artifacts: Path) -> AsyncIterator[Puppet]:
    """A worker over the state file and the directory of a front door."""
    jobs = SqliteJobs(state)
    try:
        yield Puppet(jobs, DirectoryFiles(artifacts / "jobs"))
    finally:
        await jobs.close()
