"""Draws what winning tickets were paid: a bar a day, and what they come to altogether as a line."""

from datetime import date, timedelta

from spillway.domain.redemption_sums import Sums
from spillway.domain.redemptions import in_eth
from spillway.drawing.axes import Axis, upright
from spillway.drawing.svg import Canvas, Point, line

WIDTH, HEIGHT = 1080.0, 420.0
LEFT, RIGHT, TOP, BOTTOM = 84.0, 84.0, 64.0, 48.0
MOST_DAYS, DATES = 400, 8
STYLE = """
text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#4a5560}
.head{font-size:18px;font-weight:600;fill:#1b232b}.left{text-anchor:end}.middle{text-anchor:middle}
.paper{fill:#fff}.grid{stroke:#e3e7eb}.day{fill:#0072b2}.total{fill:none;stroke:#d55e00;stroke-width:2}
""".strip()


def drawn(sums: Sums) -> str:
    """The picture of sums by day; long stretches are drawn in steps of several days."""
    paid = {date.fromisoformat(day): float(in_eth(group.amount_wei)) for day, group in sums.groups.items()}
    bars = _bars(paid)
    total = float(in_eth(sums.total.amount_wei))
    canvas = Canvas(WIDTH, HEIGHT, f"{sums.total.count} winning tickets, {total:.6f} ETH", STYLE)
    canvas.add("rect", "paper", x=0, y=0, width=WIDTH, height=HEIGHT)
    canvas.write(LEFT, 30, f"{sums.total.count:,} winning tickets: {total:.6f} ETH", "head")
    canvas.write(LEFT, 50, f"bars: ETH in {_step(bars)}, left; line: altogether, right")
    if bars:
        _draw(canvas, bars, total)
    return str(canvas)


def _bars(paid: dict[date, float]) -> list[tuple[date, float]]:
    """Days in steps of as many as keep the picture small, empty ones too."""
    if not paid:
        return []
    first, last = min(paid), max(paid)
    step = ((last - first).days + 1 + MOST_DAYS - 1) // MOST_DAYS
    heights = [0.0] * ((last - first).days // step + 1)
    for day, eth in paid.items():
        heights[(day - first).days // step] += eth
    return [(first + timedelta(days=step * place), eth) for place, eth in enumerate(heights)]


def _step(bars: list[tuple[date, float]]) -> str:
    days = (bars[1][0] - bars[0][0]).days if len(bars) > 1 else 1
    return "a day" if days == 1 else f"{days} days"


def _draw(canvas: Canvas, bars: list[tuple[date, float]], total: float) -> None:
    floor = HEIGHT - BOTTOM
    each = upright(max(eth for _, eth in bars) or 1e-6, floor, TOP, most=5, finest=1e-9)
    altogether = upright(total or 1e-6, floor, TOP, most=5, finest=1e-9)
    _marks(canvas, each, LEFT - 8, "left", grid=True)
    _marks(canvas, altogether, WIDTH - RIGHT + 8, "", grid=False)
    width = (WIDTH - LEFT - RIGHT) / len(bars)
    so_far, points = 0.0, list[Point]()
    for place, (day, eth) in enumerate(bars):
        left, top = LEFT + place * width, each(eth)
        if eth:
            canvas.add(
                "rect",
                "day",
                x=left,
                y=top,
                width=max(0.6, width * 0.8),
                height=floor - top,
                title=f"{day}: {eth:.6f} ETH",
            )
        so_far += eth
        points.append((left + width / 2, altogether(so_far)))
        if place % max(1, len(bars) // DATES) == 0:
            canvas.write(left + width / 2, floor + 20, day.isoformat(), "middle")
    canvas.add("path", "total", d=line(points))


def _marks(canvas: Canvas, axis: Axis, x: float, kind: str, *, grid: bool) -> None:
    for value in axis.marks():
        y = axis(value)
        if grid:
            canvas.add("line", "grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y)
        canvas.write(x, y + 4, f"{value:.9f}".rstrip("0").rstrip(".") or "0", kind)
