"""The simulated subnet of one pipeline: slots, the gateway's short queue, and what goes wrong there."""

import functools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from spillway.domain.controller import Ended
from spillway.simulation.agenda import Agenda
from spillway.simulation.load import Luck, faults_of, level
from spillway.simulation.scenario import PipelineLoad

HANG_S = 120.0
CLOSED_AFTER_S = 0.2
SLOWER = 3.0


@dataclass(slots=True, eq=False)
class SubnetTry:
    """One try. `tell` hears of its end once, unless the caller hung up before."""

    luck: Luck
    tell: Callable[[Ended], None] | None
    kind: str = ""
    serving: bool = False
    over: bool = False
    full: bool = False
    """Turned away for want of a slot, as nobody outside can tell."""

    def end(self, how: Ended) -> None:
        """The caller hears; nobody hears twice."""
        tell, self.tell = self.tell, None
        if tell:
            tell(how)


class Subnet:
    """Slots that jobs hold, first come first served; a job holds its slot to its end, whoever still listens."""

    def __init__(self, load: PipelineLoad, agenda: Agenda):
        self._load = load
        self._agenda = agenda
        self._queue: deque[SubnetTry] = deque()
        self._serving: set[SubnetTry] = set()
        self.slots = level(load.slots, 0.0)
        for second, _ in load.slots:
            agenda.at(second, self._resize)
        for place, window in enumerate(load.faults):
            if window.kind == "outage":
                agenda.at(window.begin, functools.partial(self._lose, place, window.probability))

    @property
    def busy(self) -> int:
        """Slots that are held."""
        return len(self._serving)

    def start(self, luck: Luck, tell: Callable[[Ended], None]) -> SubnetTry:
        """A try comes in."""
        tried = SubnetTry(luck, tell)
        kinds = {window.kind for window in faults_of(self._load, luck, self._agenda.now)}
        if "outage" in kinds:
            self._agenda.after(CLOSED_AFTER_S, lambda: tried.end(Ended.UNREACHABLE))
        elif "reset" in kinds:
            self._agenda.after(0.0, lambda: tried.end(Ended.UNREACHABLE))
        elif "refuse" in kinds:
            self._agenda.after(0.0, lambda: tried.end(Ended.REFUSED))
        else:
            tried.kind = next((kind for kind in ("hang", "error", "slow") if kind in kinds), "")
            self._seek(tried)
        return tried

    def _seek(self, tried: SubnetTry) -> None:
        if self.busy < self.slots and not self._queue:
            self._serve(tried)
            return
        self._queue.append(tried)
        self._agenda.after(self._load.refusal, lambda: self._refuse(tried))

    def _serve(self, tried: SubnetTry) -> None:
        tried.serving = True
        self._serving.add(tried)
        holds_s, how = self._fate(tried)
        self._agenda.after(holds_s, lambda: self._free(tried, how))

    def _fate(self, tried: SubnetTry) -> tuple[float, Ended | None]:
        if tried.kind == "hang":
            return HANG_S, None
        if tried.kind == "error":
            return tried.luck.service_s / 2, Ended.BROKEN
        return tried.luck.service_s * (SLOWER if tried.kind == "slow" else 1.0), Ended.SERVED

    def _free(self, tried: SubnetTry, how: Ended | None) -> None:
        if tried.over:
            return
        tried.over = True
        self._serving.discard(tried)
        self._next()
        if how:
            tried.end(how)

    def _next(self) -> None:
        while self._queue and self.busy < self.slots:
            waiting = self._queue.popleft()
            if not waiting.over:
                self._serve(waiting)

    def _refuse(self, tried: SubnetTry) -> None:
        if not tried.serving and not tried.over:
            tried.over = tried.full = True
            self._queue.remove(tried)
            tried.end(Ended.REFUSED)

    def hang_up(self, tried: SubnetTry) -> None:
        """The caller goes: out of the queue at once, but a slot that is held stays held."""
        tried.tell = None
        if not tried.serving and tried in self._queue:
            tried.over = True
            self._queue.remove(tried)

    def _resize(self) -> None:
        self.slots = level(self._load.slots, self._agenda.now)
        self._next()

    def _lose(self, place: int, probability: float) -> None:
        for tried in [*self._serving, *self._queue]:
            if tried.luck.dice[place] < probability:
                tried.over = True
                self._serving.discard(tried)
                if tried in self._queue:
                    self._queue.remove(tried)
                tried.end(Ended.UNREACHABLE)
        self._next()
