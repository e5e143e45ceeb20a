"""The parts of the front door that most requests do without: each is loaded when it is first asked for."""

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from spillway.assembly.inside import Inside
from spillway.assembly.telemetry import open_exporting
from spillway.edge.app import Endpoints
from spillway.edge.bodies import Room
from spillway.ports import Values
from spillway.services.on_demand import OnDemand
from spillway.services.wakes import Wakes

if TYPE_CHECKING:
    from spillway.assembly.jobs import JobSide
    from spillway.assembly.kept import Kept
    from spillway.assembly.worker import WorkSide
    from spillway.edge.annex import Annex
    from spillway.edge.job_house import JobHouse


class Reserve:
    """Jobs, redemptions, pages. Whatever of their settings can be wrong is found at the start, by the gateway."""

    def __init__(self, own: Inside, room: Room):
        self._own, self._room = own, room
        self._wakes = Wakes()
        self._kept = OnDemand(self._open_kept)
        self._side = OnDemand(self._open_jobs)
        self._annex = OnDemand(self._open_annex)
        self.jobs = OnDemand(self._job_house)
        self.exporting = open_exporting(own.metrics, self.values)

    def annex(self, endpoints: Endpoints) -> ASGIApp:
        """Every path but those of inference."""
        from spillway.edge.annex import create_annex  # noqa: PLC0415 (on demand)

        return create_annex(self._annex.now(), endpoints)

    async def values(self) -> Values:
        """Metrics of this moment."""
        return await (await self._annex.get()).gauges.now()

    def replicate_hook(self, secret: str) -> ASGIApp:
        """Where Replicate reports on jobs."""
        from spillway.assembly.jobs import stop_prediction  # noqa: PLC0415 (on demand)
        from spillway.edge.hooks import ReplicateHook  # noqa: PLC0415 (on demand)
        from spillway.services.hooks import Hooks  # noqa: PLC0415 (on demand)

        side = self._side.now()
        hooks = Hooks(side.jobs, side.queue, self._wakes, stop=stop_prediction(self._own), epoch=time.time)
        return ReplicateHook(hooks, self._room, secret)

    async def work(self) -> None:
        """Run the jobs of a local queue for as long as the front door is open."""
        from spillway.adapters.local_queue import LocalQueue  # noqa: PLC0415 (on demand)

        side = await self._side.get()
        assert isinstance(side.queue, LocalQueue)  # noqa: S101 (whoever calls this has seen to it)
        work = await asyncio.to_thread(self._work_side, side)
        await work.beside(side.queue)

    async def close(self) -> None:
        """Let go of what was loaded, and of the front door's own."""
        if self.exporting:
            await self.exporting.close()
        if self._side.made:
            await self._side.made.close()
        await self._own.close()
        if self._kept.made:
            await self._kept.made.close()

    def _work_side(self, side: "JobSide") -> "WorkSide":
        from spillway.assembly.worker import work_side  # noqa: PLC0415 (on demand)
        from spillway.services.subnet_door import OwnGates  # noqa: PLC0415 (on demand)

        door = OwnGates(self._own.backends, self._own.keeper) if self._own.backends.subnet else None
        return work_side(self._own, side, door, self._wakes)

    def _open_annex(self) -> "Annex":
        from spillway.assembly.annex import open_annex  # noqa: PLC0415 (on demand)

        return open_annex(self._own, self._side.now(), self._kept.now(), self.jobs.now(), self._room)

    def _open_jobs(self) -> "JobSide":
        from spillway.assembly.jobs import job_side  # noqa: PLC0415 (on demand)

        return job_side(self._own)

    def _open_kept(self) -> "Kept":
        from spillway.assembly.kept import open_kept  # noqa: PLC0415 (on demand)

        return open_kept(self._own.settings)

    def _job_house(self) -> "JobHouse":
        from spillway.edge.job_house import JobHouse  # noqa: PLC0415 (on demand)

        side = self._side.now()
        return JobHouse(side.desk, side.views, side.changes, side.idempotency)
