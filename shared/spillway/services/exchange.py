"""Instances tell each other what they have learned, and hear an operator's orders, through the store.

Nothing here is on a request's way: an exchange runs beside requests, at most every `PERIOD_S`, and costs one write.
Only an instance that was idle for longer than `IDLE_S` reads before its first decision, for `READ_FIRST_S` at most.
Reports are whole states under the instance's own name; those that are old are not heard, and swept away.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from spillway.domain.overrides import AUTO, from_document
from spillway.domain.peers import VERSION
from spillway.errors import Overflow, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.store import Document, Store
from spillway.services.gate import Gate, Gates
from spillway.services.tallying import Tallying

log = logging.getLogger("spillway")

REPORTS, OVERRIDES, TALLIES = "policies", "overrides", "tallies"
PERIOD_S = 2.0
TALLY_EVERY_S = 10.0
IDLE_S = 5.0
READ_FIRST_S = 0.1
SWEPT_AFTER_S = 3600.0
CAPACITIES_EVERY_S = 60.0

Capacities = Callable[[], Awaitable[Mapping[tuple[str, str], int]]]
"""Asks the gateway for the slots of its orchestrators, by pipeline and model. Raises Overflow."""


class Exchange:
    """The exchange of one instance. `epoch` is the clock that instances share."""

    def __init__(
        self, store: Store, gates: Gates, tallying: Tallying, *, epoch: Clock, capacities: Capacities | None = None
    ):
        self._store, self._gates, self._tallying, self._epoch = store, gates, tallying, epoch
        self._capacities, self._asked_at = capacities, -1e18
        self._name = ""
        self._at = self._tallied_at = -1e18
        self._task: asyncio.Task[None] | None = None
        self._heard: Mapping[str, Mapping[str, Any]] = {}
        self._known: set[str] = set()

    async def fresh(self, gate: Gate) -> None:
        """Called by each request before it is decided on."""
        if not gate.started:
            self._pass_on(gate)
        now = self._epoch()
        if now - self._at < PERIOD_S:
            return
        idle = now - self._at > IDLE_S
        task = self.kick()
        if idle:
            await asyncio.wait([task], timeout=READ_FIRST_S)

    def kick(self) -> "asyncio.Task[None]":
        """Start an exchange unless one is under way."""
        if self._task is None or self._task.done():
            self._at = self._epoch()
            self._task = asyncio.create_task(self._exchange())
        return self._task

    async def keep_up(self) -> None:
        """Exchange for as long as the process runs, where it has a processor between requests too."""
        while True:
            await self.kick()
            await asyncio.sleep(PERIOD_S)

    async def close(self) -> None:
        """Tell the others the last that was learned."""
        if self._task:
            await asyncio.wait([self._task], timeout=1.0)
        await self._exchange()

    async def _exchange(self) -> None:
        try:
            async with asyncio.timeout(PERIOD_S):
                await self._hear()
                await self._tell()
            await self._ask_gateway()
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("what other instances know can't be had now: %s", error or "the store is slow")

    async def _hear(self) -> None:
        reports, orders = await asyncio.gather(self._store.list(REPORTS), self._store.list(OVERRIDES))
        orders_by_route = {document.key: from_document(document.body) for document in orders}
        now = self._epoch()
        others = [document for document in reports if document.key != self._name]
        self._heard = {one.key: one.body for one in others if _understood(one, now)}
        for gate in self._gates:
            self._pass_on(gate)
            gate.override = orders_by_route.get(gate.name) or orders_by_route.get(gate.name.split(" ")[0], AUTO)
        await self._sweep(others, now)

    def _pass_on(self, gate: Gate) -> None:
        """What the others said about one gate, in this instance's own time."""
        reports = {
            name: {**report, "at": self._gates.now() - max(0.0, self._epoch() - report["epoch"])}
            for name, body in self._heard.items()
            if (report := body["gates"].get(gate.name))
        }
        if not gate.started and self._heard:
            gate.start_from(max(reports.values(), key=lambda report: report["at"], default=None))
        if reports:
            gate.merge(reports)

    async def _sweep(self, documents: Iterable[Document], now: float) -> None:
        for document in documents:
            if now - document.updated > SWEPT_AFTER_S:
                await self._store.delete(REPORTS, document.key)

    async def _ask_gateway(self) -> None:
        """What the gateway says of its orchestrators is where the policy begins, and hears of new ones."""
        now = self._epoch()
        if self._capacities is None or now - self._asked_at < CAPACITIES_EVERY_S:
            return
        self._asked_at = now
        try:
            async with asyncio.timeout(PERIOD_S):
                told = await self._capacities()
        except (Overflow, TimeoutError) as error:
            log.info("the gateway does not tell its orchestrators' slots: %s", error or "it is slow")
            return
        for gate in self._gates:
            gate.expect(told.get(gate.pipeline_and_model))

    async def _tell(self) -> None:
        now = self._epoch()
        gates = {gate.name: {**gate.report(), "epoch": now} for gate in self._gates if gate.used}
        if gates:
            # Not sooner: processes that are forked after the start must not have one name.
            self._name = self._name or uuid.uuid4().hex[:16]
            await self._store.write(REPORTS, self._name, {"version": VERSION, "gates": gates})
        if now - self._tallied_at > TALLY_EVERY_S:
            self._tallied_at = now
            await self._store.write(TALLIES, self._tallying.key, self._tallying.snapshot())


def _understood(document: Document, now: float) -> bool:
    """Whether a report is of this version, and not from long ago."""
    return document.body.get("version") == VERSION and now - document.updated < SWEPT_AFTER_S
