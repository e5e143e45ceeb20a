"""The three panels of a pipeline over one time axis: what the subnet held, who answered, what it cost."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spillway.drawing.axes import Axis, time_unit, upright
from spillway.drawing.svg import Canvas, Point, between, box, line, stairs, under
from spillway.simulation.played import Sample
from spillway.simulation.scenario import FaultWindow
from spillway.simulation.series import Series, Value, gauge, rates, spreads

# A limit far above all else would press the rest flat.
LIMIT_HEADROOM = 1.3
SPARSE_A_MINUTE = 2.0
CAPACITY_HEIGHT, SERVED_HEIGHT, SPEND_HEIGHT, RUG_HEIGHT = 190.0, 130.0, 110.0, 8.0
SHADES = 4
BETWEEN = 46.0
HEIGHT = 26.0 + CAPACITY_HEIGHT + SERVED_HEIGHT + SPEND_HEIGHT + 2 * BETWEEN + 38.0
SWATCH, LETTER, KEY_GAP = 13.0, 5.7, 14.0
LINES = ("busy", "limit", "total")


@dataclass(frozen=True, slots=True)
class Panels:
    """One pipeline's column. `stretches` of a line and the seconds of one bar say how fine it is."""

    canvas: Canvas
    samples: Sequence[Sample]
    faults: Sequence[FaultWindow]
    time: Axis
    stretches: int
    bar_s: float

    def draw(self, top: float) -> None:
        """All three, from `top` downwards."""
        capacity = top + 26.0
        served = capacity + CAPACITY_HEIGHT + BETWEEN
        spend = served + SERVED_HEIGHT + BETWEEN
        self._capacity(capacity, capacity + CAPACITY_HEIGHT)
        self._served(served, served + SERVED_HEIGHT)
        self._spend(spend, spend + SPEND_HEIGHT)
        self._times(spend + SPEND_HEIGHT)

    # What the subnet held.

    def _capacity(self, top: float, floor: float) -> None:
        slots, limit = self._gauge(lambda one: one.slots), self._gauge(lambda one: one.limit)
        busy, waiting = self._spreads(lambda one: one.in_flight), self._spreads(lambda one: one.waiting)
        highest = max([1.0, *(height for _, height in slots), *(high for _, _, high in busy + waiting)])
        shown = min(max((height for _, height in limit), default=0.0), LIMIT_HEADROOM * highest)
        axis = upright(max(highest, shown), floor - RUG_HEIGHT - 3, top, most=5, finest=1.0)
        keys = {"slots": "slots", "busy": "in flight", "limit": "limit", "waiting": "waiting", "refused": "refused"}
        self._frame(top, floor, axis, "Jobs on the subnet", keys)
        self._path("slots", under(self._places(slots, axis), axis.begin) if slots else "", "slots")
        low, mean, high = [self._bars(column, axis) for column in zip(*busy, strict=True)] or [[], [], []]
        self._path("busy-spread", between(high, low) if busy else "", "in flight, from lowest to highest")
        self._path(
            "waiting", under(self._bars([mid for _, mid, _ in waiting], axis), axis.begin) if waiting else "", "waiting"
        )
        self._path("busy", stairs(mean) if busy else "", "in flight, mean")
        self._path("limit", stairs(self._places(limit, axis)) if limit else "", "limit")
        self._rug(floor)
        for (begin, _), words in self._windows().items():
            self.canvas.write(self.time(begin) + 4, top + 13, words, "fault-name")

    def _rug(self, floor: float) -> None:
        refused = self._rates(lambda one: one.refused)
        most = max(refused, default=0.0)
        marks: dict[int, str] = {}
        for place, rate in enumerate(refused):
            if rate > 0:
                left, right = self.time(place * self.bar_s), self.time((place + 1) * self.bar_s)
                shade = math.ceil(rate / most * SHADES)
                marks[shade] = marks.get(shade, "") + box(left, floor - RUG_HEIGHT, right, floor)
        for shade, path in marks.items():
            self.canvas.add("path", "refused", d=path, opacity=f"{shade / SHADES:.2f}", title="refused tries")

    # Who answered.

    def _served(self, top: float, floor: float) -> None:
        totals: tuple[tuple[str, Value], ...] = (
            ("subnet", lambda one: one.subnet),
            ("fallback", lambda one: one.fallback),
            ("failed", lambda one: one.failed),
        )
        owns = {name: self._rates(total) for name, total in totals}
        busiest = max(map(sum, zip(*owns.values(), strict=True)), default=0.0)
        unit_s, unit = (3600, "an hour") if busiest * 60 < SPARSE_A_MINUTE else (60, "a minute")
        axis = upright(busiest * unit_s, floor, top, most=4)
        self._frame(top, floor, axis, f"Answers {unit}", {name: name for name in owns})
        below = [0.0] * len(owns["subnet"])
        for name, own in owns.items():
            above = [low + rate * unit_s for low, rate in zip(below, own, strict=True)]
            self._path(name, between(self._bars(above, axis), self._bars(below, axis)) if any(own) else "", name)
            below = above

    # What it cost.

    def _spend(self, top: float, floor: float) -> None:
        hourly = [rate * 3600 for rate in self._rates(lambda one: one.usd)]
        total = self._gauge(lambda one: one.usd)
        sums = upright(max((usd for _, usd in total), default=0.0), floor, top, most=4)
        pace = upright(max(hourly, default=0.0), floor, top, most=4)
        self._frame(
            top, floor, sums, "Spend on hosted inference, USD", {"total": "in all (left)", "hourly": "an hour (right)"}
        )
        for mark in pace.marks():
            self.canvas.write(self.time.end + 6, pace(mark) + 4, f"{mark:g}")
        self._path("hourly", under(self._bars(hourly, pace), floor) if any(hourly) else "", "USD an hour")
        self._path("total", line(self._places(total, sums)) if total else "", "USD in all")

    # What all have.

    def _frame(self, top: float, floor: float, axis: Axis, title: str, keys: dict[str, str]) -> None:
        left, right = self.time.begin, self.time.end
        self.canvas.add("rect", "ground", x=left, y=top, width=right - left, height=floor - top)
        for begin, end in self._windows():
            x = self.time(begin)
            # What is always so is the scenario's ground, no event.
            if (begin, end) != (0, self.time.top):
                self.canvas.add("rect", "fault", x=x, y=top, width=max(1.0, self.time(end) - x), height=floor - top)
        across = [line([(left, axis(mark)), (right, axis(mark))]) for mark in axis.marks()]
        down = [line([(self.time(second), top), (self.time(second), floor)]) for second in self.time.marks()]
        self._path("grid", "".join(across + down))
        for mark in axis.marks():
            self.canvas.write(left - 6, axis(mark) + 4, f"{mark:g}", "left")
        self.canvas.write(left, top - 9, title, "name")
        self._legend(top - 9, keys)

    def _legend(self, y: float, keys: dict[str, str]) -> None:
        x = self.time.end + KEY_GAP - sum(map(_room, keys.values()))
        for kind, words in keys.items():
            if kind in LINES:
                self._path(kind, line([(x, y - 4), (x + SWATCH, y - 4)]))
            else:
                self.canvas.add("rect", kind, x=x, y=y - 8, width=SWATCH, height=8)
            self.canvas.write(x + SWATCH + 4, y, words)
            x += _room(words)

    def _times(self, floor: float) -> None:
        seconds, name = time_unit(self.time.top)
        for second in self.time.marks():
            self.canvas.write(self.time(second), floor + 17, f"{second / seconds:g}", "middle")
        self.canvas.write((self.time.begin + self.time.end) / 2, floor + 34, f"time, {name}", "middle")

    def _windows(self) -> dict[tuple[float, float], str]:
        windows: dict[tuple[float, float], str] = {}
        for fault in self.faults:
            if fault.probability > 0 and fault.begin < self.time.top:
                words = fault.kind if fault.probability == 1 else f"{fault.kind} {100 * fault.probability:g} %"
                window = (fault.begin, min(fault.end, self.time.top))
                windows[window] = f"{windows[window]}, {words}" if window in windows else words
        return windows

    def _gauge(self, value: Value) -> Series:
        """The last value holds until the last sample."""
        points = gauge(self.samples, value, self.time.top, self.stretches)
        return [*points, (self.samples[-1].at, points[-1][1])] if points else []

    def _spreads(self, value: Value) -> list[tuple[float, float, float]]:
        return spreads(self.samples, value, self.time.top, self.bar_s)

    def _rates(self, total: Value) -> list[float]:
        return rates(self.samples, total, self.time.top, self.bar_s)

    def _places(self, series: Series, axis: Axis) -> list[Point]:
        return [(self.time(at), axis(height)) for at, height in series]

    def _bars(self, heights: Iterable[float], axis: Axis) -> list[Point]:
        bars = [(self.time(place * self.bar_s), axis(height)) for place, height in enumerate(heights)]
        return [*bars, (self.time.end, bars[-1][1])]

    def _path(self, kind: str, path: str, title: str = "") -> None:
        if path:
            self.canvas.add("path", kind, d=path, title=title)


def _room(words: str) -> float:
    return SWATCH + 4 + LETTER * len(words) + KEY_GAP
