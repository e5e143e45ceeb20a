"""The charts, drawn here as SVG: they need no script, scale with the page, and take their colours from its style."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from spillway.domain.chronicle import DAY_S, HOUR_S, Cell, Cells, Times, total
from spillway.domain.redemption_sums import Sum
from spillway.domain.redemptions import in_eth
from spillway.drawing.axes import Axis, upright
from spillway.drawing.svg import Canvas, Point, between, line

WIDTH, HEIGHT = 620.0, 210.0
LEFT, RIGHT, TOP, FLOOR = 46.0, 612.0, 12.0, 178.0
MARKS = 6


@dataclass(frozen=True, slots=True)
class Series:
    """One line or area: a word of the style sheet, a name for people, and a value for each stretch (None: a gap)."""

    kind: str
    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart: `keys` are (kind, name) for its legend, `said` is what it shows, in words."""

    title: str
    svg: str
    keys: Sequence[tuple[str, str]] = field(default_factory=tuple)
    said: str = ""


def charts(cells: Cells, step_s: int, pipeline: str | None) -> list[Chart]:
    """All of a view, for one pipeline or all together."""
    rows = [_row(row, pipeline) for row in cells.values()]
    starts = list(cells)
    return [
        _stacked("Answers", starts, step_s, _served(rows)),
        _lines("Success and share of the subnet, %", starts, step_s, _rates(rows), top=100.0),
        _lines("Seconds to an answer", starts, step_s, _latencies(rows)),
        _lines("Hosted spend, USD, summed up", starts, step_s, _money(rows)),
    ]


def paid(days: Mapping[str, Sum], span_s: int) -> Chart:
    """What orchestrators were paid, day by day."""
    last = max(days, default="1970-01-01")
    end = int(datetime.fromisoformat(last).replace(tzinfo=UTC).timestamp())
    starts = list(range(end - max(span_s, 7 * DAY_S) + DAY_S, end + 1, DAY_S))
    names = [datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d") for start in starts]
    ether = [float(in_eth(days[name].amount_wei)) if name in days else 0.0 for name in names]
    return _stacked("Paid to orchestrators, ETH a day", starts, DAY_S, [Series("subnet", "ETH", ether)])


def _row(row: Mapping[str, Cell], pipeline: str | None) -> Cell:
    """One pipeline's cell, or the sum of all."""
    if pipeline is not None:
        return row.get(pipeline, Cell())
    whole = Cell()
    for one in row.values():
        whole.merge(one)
    return whole


def pipelines_of(cells: Cells) -> list[str]:
    """Those that anything came for, the busiest first."""
    sums = total(cells.values())
    return sorted(sums, key=lambda name: -sums[name].requests)


def _served(rows: Sequence[Cell]) -> list[Series]:
    return [
        Series("subnet", "subnet", [float(one.subnet) for one in rows]),
        Series("fallback", "fallback", [float(one.answered - one.subnet) for one in rows]),
        Series("failed", "failed", [float(one.failed) for one in rows]),
    ]


def _rates(rows: Sequence[Cell]) -> list[Series]:
    return [
        Series("total", "requests answered", [_percent(one.answered, one.answered + one.failed) for one in rows]),
        Series("subnet", "answered by the subnet", [_percent(one.subnet, one.answered) for one in rows]),
    ]


def _latencies(rows: Sequence[Cell]) -> list[Series]:
    return [
        Series("subnet", "subnet p50", [_subnet(one).quantile(0.5) for one in rows]),
        Series("subnet dashed", "subnet p95", [_subnet(one).quantile(0.95) for one in rows]),
        Series("fallback", "fallback p50", [one.hosted_times().quantile(0.5) for one in rows]),
        Series("fallback dashed", "fallback p95", [one.hosted_times().quantile(0.95) for one in rows]),
    ]


def _money(rows: Sequence[Cell]) -> list[Series]:
    spent, without = [], []
    usd = spared = 0.0
    for one in rows:
        usd += one.usd
        spared += one.spared_usd
        spent.append(usd)
        without.append(usd + spared)
    return [Series("fallback", "spent", spent), Series("quiet", "without the subnet", without)]


def _percent(part: int, of: int) -> float | None:
    return 100 * part / of if of else None


def _subnet(one: Cell) -> Times:
    return one.served.get("subnet", Times())


# Drawing.


def _lines(title: str, starts: Sequence[int], step_s: int, series: Sequence[Series], top: float = 0.0) -> Chart:
    highest = max([top, *(value for one in series for value in one.values if value is not None)])
    canvas, across, upwards = _ground(title, starts, step_s, highest, exact=bool(top))
    for one in series:
        for stretch in _stretches(one.values):
            points = [(across(place + 0.5), upwards(value)) for place, value in stretch]
            alone = len(points) == 1
            path, kind = (_dot(points[0]), f"line dot {one.kind}") if alone else (line(points), f"line {one.kind}")
            canvas.add("path", kind, d=path, title=one.name)
    return Chart(title, str(canvas), [(one.kind, one.name) for one in series], _said(series))


def _stacked(title: str, starts: Sequence[int], step_s: int, series: Sequence[Series]) -> Chart:
    heights = [sum(one.values[place] or 0.0 for one in series) for place in range(len(starts))]
    canvas, across, upwards = _ground(title, starts, step_s, max(heights, default=0.0))
    below = [0.0] * len(starts)
    for one in series:
        above = [low + (value or 0.0) for low, value in zip(below, one.values, strict=True)]
        if any(one.values):
            path = between(_steps(above, across, upwards), _steps(below, across, upwards))
            canvas.add("path", f"area {one.kind}", d=path, title=one.name)
        below = above
    return Chart(title, str(canvas), [(one.kind, one.name) for one in series], _said(series))


def _ground(
    title: str, starts: Sequence[int], step_s: int, highest: float, *, exact: bool = False
) -> tuple[Canvas, Axis, Axis]:
    upwards = Axis(highest, 25.0, FLOOR, TOP) if exact else upright(highest or 1.0, FLOOR, TOP, most=4)
    across = Axis(float(max(1, len(starts))), 1.0, LEFT, RIGHT)
    canvas = Canvas(WIDTH, HEIGHT, title)
    for mark in upwards.marks():
        canvas.add("path", "grid", d=line([(LEFT, upwards(mark)), (RIGHT, upwards(mark))]))
        canvas.write(LEFT - 6, upwards(mark) + 4, f"{mark:g}", "left")
    every = max(1, len(starts) // MARKS)
    for place in range(every // 2, len(starts), every):
        canvas.write(across(place + 0.5), FLOOR + 18, _time(starts[place], step_s), "middle")
    return canvas, across, upwards


def _time(start: int, step_s: int) -> str:
    """UTC: the minute within a day, the day beyond."""
    return datetime.fromtimestamp(start, UTC).strftime("%H:%M" if step_s < HOUR_S else "%d %b")


def _steps(values: Sequence[float], across: Axis, upwards: Axis) -> list[Point]:
    return [(across(place), upwards(value)) for place, value in enumerate([*values, values[-1]])]


def _stretches(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Values without the gaps between them."""
    stretches: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is not None:
            stretches[-1].append((place, value))
        elif stretches[-1]:
            stretches.append([])
    return [stretch for stretch in stretches if stretch]


def _dot(point: Point) -> str:
    return line([point, (point[0] + 0.5, point[1])])


def _said(series: Sequence[Series]) -> str:
    """The latest values, for those who can't see the lines."""
    latest = [(one.name, next((value for value in reversed(one.values) if value is not None), None)) for one in series]
    return "Latest: " + ", ".join(f"{name} {value:.3g}" for name, value in latest if value is not None)
