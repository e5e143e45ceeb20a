"""Draws what came of scenarios as one SVG: a column a pipeline, scenarios under each other."""

from collections.abc import Sequence

from spillway.drawing.axes import time_unit, timeline
from spillway.drawing.svg import Canvas
from spillway.simulation.panels import HEIGHT, Panels
from spillway.simulation.played import Figures, Played
from spillway.simulation.scenario import Scenario

LARGEST = 300_000
WIDTH, NARROWEST_COLUMN = 1160.0, 680.0
MARGIN, LEFT, RIGHT = 24.0, 44.0, 44.0
TITLE_HEIGHT, PIPELINE_HEIGHT, GAP = 58.0, 58.0, 36.0
NARROWEST_MARK = 70.0
BLOCK_HEIGHT = TITLE_HEIGHT + PIPELINE_HEIGHT + HEIGHT + GAP
# Stretches of a line and bars of a rate in one column, from fine to coarse.
FINE = ((300, 100), (200, 90), (120, 90), (80, 80), (60, 60), (40, 50), (30, 30), (16, 16), (8, 8))

# Okabe and Ito's colours, which hold for the colour-blind, with greys beside them.
STYLE = """
text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#4a5560}
.scenario{font-size:20px;font-weight:600;fill:#1b232b}.sub{font-size:12.5px}
.pipeline{font-size:14px;font-weight:600;fill:#1b232b}.name{font-weight:600;font-size:12px;fill:#1b232b}
.left{text-anchor:end}.middle{text-anchor:middle}.fault-name{font-weight:600;fill:#8c2d04;stroke:#fff;stroke-width:3px;paint-order:stroke}
.paper{fill:#fff}.ground{fill:#fafbfc}.grid{stroke:#e3e7eb;fill:none}.fault{fill:#d55e00;opacity:.1}
.slots{fill:#dfe4e9;stroke:#aab4be}
.busy{fill:none;stroke:#0072b2;stroke-width:1.8}
.busy-spread{fill:#0072b2;opacity:.22}
.limit{fill:none;stroke:#1b232b;stroke-width:1.3;stroke-dasharray:4 2.5}
.waiting{fill:#cc79a7;opacity:.75}.refused{fill:#1b232b}
.subnet{fill:#0072b2}.fallback{fill:#e69f00}.failed{fill:#7a0f3c}
.total{fill:none;stroke:#00664b;stroke-width:2}.hourly{fill:#9fd8c5}
""".strip()


def plot(runs: Sequence[tuple[Scenario, Played]]) -> str:
    """The picture of all runs, thinned until it is small enough for a page."""
    picture = ""
    for stretches, bars in FINE:
        picture = _drawn(runs, stretches, bars)
        if len(picture.encode()) < LARGEST:
            break
    return picture


def _drawn(runs: Sequence[tuple[Scenario, Played]], stretches: int, bars: int) -> str:
    columns = max((len(scenario.pipelines) for scenario, _ in runs), default=1)
    width = max(WIDTH, 2 * MARGIN + columns * NARROWEST_COLUMN - RIGHT)
    height = max(1, len(runs)) * BLOCK_HEIGHT + MARGIN
    names = ", ".join(played.name for _, played in runs)
    canvas = Canvas(width, height, f"Simulated: {names or 'nothing'}", STYLE)
    canvas.add("rect", "paper", x=0, y=0, width=width, height=height)
    for place, (scenario, played) in enumerate(runs):
        _block(canvas, scenario, played, place * BLOCK_HEIGHT + MARGIN, (stretches, bars))
    return str(canvas)


def _block(canvas: Canvas, scenario: Scenario, played: Played, top: float, fine: tuple[int, int]) -> None:
    canvas.write(MARGIN, top + 20, played.name, "scenario")
    canvas.write(MARGIN, top + 40, _terms(scenario), "sub")
    stretches, bars = fine
    room = (canvas.width - 2 * MARGIN + GAP) / len(scenario.pipelines)
    last = max((samples[-1].at for samples in played.samples.values() if samples), default=0.0)
    span_s = max(scenario.seconds, last)
    for place, load in enumerate(scenario.pipelines):
        left = MARGIN + place * room
        begin, end = left + LEFT, left + room - GAP - RIGHT
        time = timeline(span_s, begin, end, most=(end - begin) / NARROWEST_MARK)
        canvas.write(left, top + TITLE_HEIGHT + 14, load.name, "pipeline")
        for line, words in enumerate(_summary(played.pipelines.get(load.name))):
            canvas.write(left, top + TITLE_HEIGHT + 32 + 17 * line, words, "sub")
        samples = played.samples.get(load.name, [])
        Panels(canvas, samples, load.faults, time, stretches, span_s / bars).draw(top + TITLE_HEIGHT + PIPELINE_HEIGHT)


def _terms(scenario: Scenario) -> str:
    seconds, unit = time_unit(scenario.seconds)
    news = f", news {scenario.state_delay:g} s old" if scenario.state_delay and scenario.instances > 1 else ""
    instances = f"{scenario.instances} instances{news}" if scenario.instances > 1 else "one instance"
    return f"{scenario.seconds / seconds:g} {unit}, {instances}, seed {scenario.seed}"


def _summary(figures: Figures | None) -> tuple[str, ...]:
    if figures is None:
        return ()
    part = figures.subnet / figures.requests if figures.requests else 0.0
    served = f"{100 * part:.0f} % by the subnet ({figures.subnet_share_of_oracle:.2f} of the oracle's)"
    spent = f"hosted jobs {figures.fallback_usd:.2f}, warm instances {figures.warm_usd:.2f}"
    refused = f"{figures.refused_per_success:.3f} refused tries a success"
    times = f"p50 {figures.latency_p50:.1f} s, p95 {figures.latency_p95:.1f} s"
    cost = f"cost {figures.cost_usd:.2f} USD ({spent}; oracle {figures.oracle_usd:.2f})"
    return f"{figures.requests} requests, {served}, {figures.failed} failed, {refused}", f"{times}, {cost}"
