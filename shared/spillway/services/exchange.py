"""Instances tell each other what they have learned, and hear an operator's orders, through the store.

Nothing here is on a request's way: an exchange runs beside requests, at most every `PERIOD_S`, and costs one write.
Only an instance that was idle for longer than `IDLE_S` reads before its first decision, for `READ_FIRST_S` at most.
Reports are whole states under the instance's own name; those that are old are swept away, all but the newest.
"""

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from spillway.domain.guidance import ByModel, Guidance, read_guidance
from spillway.domain.overrides import AUTO, Override, from_document
from spillway.domain.peers import VERSION, read_report
from spillway.errors import Overflow, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.store import Document, Store
from spillway.services.gate import Gate
from spillway.services.gates import Gates
from spillway.services.naming import own_name

log = logging.getLogger("spillway")

REPORTS, OVERRIDES = "policies", "overrides"
BALANCER, TARGETS = "balancer", "targets"
PERIOD_S = 2.0
TALLY_EVERY_S = 10.0
IDLE_S = 5.0
READ_FIRST_S, SHORT_S = 0.1, 0.1
SWEPT_AFTER_S = 3600.0
CAPACITIES_EVERY_S = 60.0
MOST_TOLD = 128
"""Gates in one document, the busiest of late: more may not fit into what a store takes."""

Capacities = Callable[[], Awaitable[Mapping[tuple[str, str], int]]]
"""Asks the gateway for the slots of its orchestrators, by pipeline and model. Raises Overflow."""


class Publisher(Protocol):
    """Counts what this instance does, as documents of its own."""

    def documents(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(folder, key, body) of those that are to be written; the next is asked for when one has been."""
        ...


class Exchange:
    """The exchange of one instance. `epoch` is the clock that instances share."""

    def __init__(
        self,
        store: Store,
        gates: Gates,
        publishers: Sequence[Publisher] = (),
        *,
        epoch: Clock,
        capacities: Capacities | None = None,
        by_model: ByModel | None = None,
    ):
        self._store, self._gates, self._publishers, self._epoch = store, gates, publishers, epoch
        self._capacities, self._asked_at = capacities, -1e18
        self._by_model = by_model or ByModel()
        self.guidance = Guidance()
        """The balancer's latest word."""
        self._name = ""
        self._at = self._tallied_at = -1e18
        self._task: asyncio.Task[None] | None = None
        self._heard: Mapping[str, Mapping[str, Any]] = {}
        self._orders: Mapping[str, Override] = {}
        self._slots: Mapping[tuple[str, str], int] = {}
        self._read, self._read_first = asyncio.Event(), True
        self._deaf = self._left = False
        """Whether the latest exchange came to nothing, which is said once; whether this is the end of the instance."""

    async def fresh(self, gate: Gate) -> None:
        """Called by each request before it is decided on."""
        if not gate.introduced:
            self._pass_on(gate)
        since_s = self._since_s()
        if since_s >= PERIOD_S:
            self._read_first = since_s > IDLE_S
            self.kick()
        if self._read_first and not self._read.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(READ_FIRST_S - self._since_s()):
                    await self._read.wait()

    def _since_s(self) -> float:
        """Seconds since the last exchange began; a clock that was set back says nothing."""
        since_s = self._epoch() - self._at
        return since_s if since_s >= 0 else float("inf")

    def due(self) -> None:
        """Called by each job that has been done: what was counted is told now and then, where no requests come."""
        if self._since_s() >= PERIOD_S:
            self.kick()

    def kick(self) -> "asyncio.Task[None]":
        """Start an exchange unless one is under way."""
        if self._task is None or self._task.done():
            self._at = self._epoch()
            self._read.clear()
            self._task = asyncio.create_task(self._exchange())
        return self._task

    async def keep_up(self) -> None:
        """Exchange for as long as the process runs, where it has a processor between requests too."""
        while True:
            if self._since_s() >= PERIOD_S:
                await self.kick()
            await asyncio.sleep(max(SHORT_S, PERIOD_S - self._since_s()))

    async def leave(self) -> None:
        """Tell the others now what was learned, all that was counted, and that they need not reckon with this one."""
        self._left = True
        if self._task:
            await asyncio.wait([self._task], timeout=1.0)
        self._tallied_at = -1e18
        await self._exchange()

    async def _exchange(self) -> None:
        try:
            async with asyncio.timeout(PERIOD_S):
                others = await self._hear()
                await self._tell()
                await self._sweep(others)
        except (StoreUnavailable, TimeoutError) as error:
            if not self._deaf:
                log.warning("what other instances know can't be had now: %s", str(error) or "the store is slow")
            self._deaf = True
        else:
            self._deaf = False
        finally:
            self._read.set()
        await self._ask_gateway()

    async def _hear(self) -> list[Document]:
        reports, orders, told = await asyncio.gather(
            self._store.list(REPORTS), self._store.list(OVERRIDES), self._store.read(BALANCER, TARGETS)
        )
        self.guidance = read_guidance(told.body if told else {})
        self._by_model.places = self.guidance.by_model
        self._orders = {document.key: from_document(document.body) for document in orders}
        others = [document for document in reports if document.key != self._name]
        self._heard = {one.key: one.body for one in others if one.body.get("version") == VERSION}
        for gate in self._gates:
            self._pass_on(gate)
        self._read.set()
        return others

    def _pass_on(self, gate: Gate) -> None:
        """What is known about one gate: the others' reports, the gateway's word, an operator's order."""
        gate.introduced = True
        told = {name: self._aged(body, gate.name) for name, body in self._heard.items()}
        reports = {name: report for name, report in told.items() if read_report(report)}
        if not gate.started and self._heard:
            gate.start_from(max(reports.values(), key=lambda report: report["at"], default=None))
        if reports:
            gate.merge(reports)
        gate.expect(self._slots.get(gate.pipeline_and_model))
        pipeline, _ = gate.pipeline_and_model
        names = (gate.name, f"{pipeline} *", pipeline)
        gate.obey(next((self._orders[name] for name in names if name in self._orders), AUTO))

    def _aged(self, body: Mapping[str, Any], gate_name: str) -> Mapping[str, Any]:
        """What a document says about a gate, in this instance's own time; empty where that is nothing."""
        gates = body.get("gates")
        report = gates.get(gate_name) if isinstance(gates, dict) else None
        epoch = report.get("epoch") if isinstance(report, dict) else None
        if not isinstance(report, dict) or not isinstance(epoch, float):
            return {}
        return {**report, "at": self._gates.now() - max(0.0, self._epoch() - epoch)}

    async def _sweep(self, documents: Sequence[Document]) -> None:
        """Old ones go. The newest stays until there is one of this instance's own: somebody will begin with it."""
        newest = max((document.updated for document in documents), default=0.0)
        for document in documents:
            is_old = self._epoch() - document.updated > SWEPT_AFTER_S
            if is_old and (self._name or document.updated < newest):
                await self._store.delete(REPORTS, document.key)

    async def _ask_gateway(self) -> None:
        """What the gateway says of its orchestrators is where the policy begins, and hears of new ones."""
        now = self._epoch()
        if self._capacities is None or 0 <= now - self._asked_at < CAPACITIES_EVERY_S:
            return
        self._asked_at = now
        try:
            async with asyncio.timeout(PERIOD_S):
                self._slots = await self._capacities()
        except (Overflow, TimeoutError) as error:
            log.info("the gateway does not tell its orchestrators' slots: %s", str(error) or "it is slow")
            return
        for gate in self._gates:
            gate.expect(self._slots.get(gate.pipeline_and_model))

    async def _tell(self) -> None:
        now = self._epoch()
        used = heapq.nlargest(MOST_TOLD, (gate for gate in self._gates if gate.used), key=lambda gate: gate.asked_at)
        gates = {gate.name: {**gate.report(), "epoch": now, "left": self._left} for gate in used}
        if gates:
            self._name = own_name(self._name)
            await self._store.write(REPORTS, self._name, {"version": VERSION, "gates": gates})
        if not 0 <= now - self._tallied_at <= TALLY_EVERY_S:
            self._tallied_at = now
            for publisher in self._publishers:
                for folder, key, body in publisher.documents():
                    await self._store.write(folder, key, body)
