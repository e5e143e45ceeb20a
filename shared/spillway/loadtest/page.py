"""The report as one page that needs nothing else: figures, charts, and the report itself for later comparisons."""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from spillway.drawing.axes import Axis, upright
from spillway.drawing.svg import Canvas, Point, line
from spillway.loadtest.comparison import Difference

WIDTH, HEIGHT = 640.0, 260.0
LEFT, RIGHT, TOP, FLOOR = 52.0, 624.0, 18.0, 216.0
Lines = dict[str, list[Point]]
SERIES, KEY_WIDTH = 6, 130.0
STYLE = """
:root{--ink:#1b232b;--soft:#5a6570;--paper:#fff;--ground:#f5f7f9;--rule:#dfe4e9;--good:#00664b;--bad:#a3123f}
@media(prefers-color-scheme:dark){
:root{--ink:#e8edf2;--soft:#9aa7b3;--paper:#12171c;--ground:#1a2128;--rule:#2c3640;--good:#5fd3ae;--bad:#ff8aa8}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .4rem}p{margin:.3rem 0;color:var(--soft)}
table{border-collapse:collapse;margin:.6rem 0;font-variant-numeric:tabular-nums;font-size:.92rem}
.wide{overflow-x:auto}.good{color:var(--good)}.bad{color:var(--bad)}.big{font-size:1.15rem;color:var(--ink)}
th,td{padding:.25rem .8rem .25rem 0;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
figure{display:inline-block;margin:.6rem 1rem .6rem 0;max-width:100%}
figcaption{font-size:.88rem;color:var(--soft)}svg{max-width:100%;height:auto}
""".strip()
DRAWN = """
text{font:11px system-ui,sans-serif;fill:var(--soft)}.left{text-anchor:end}.middle{text-anchor:middle}
.ground{fill:var(--ground)}.grid{stroke:var(--rule);fill:none}path{fill:none;stroke-width:2}
.s0{stroke:#0072b2}.s1{stroke:#e69f00}.s2{stroke:#009e73}.s3{stroke:#cc79a7}.s4{stroke:#d55e00}.s5{stroke:#8c8c8c}
""".strip()


def page(report: Mapping[str, Any], differences: Sequence[Difference] = ()) -> str:
    """The HTML."""
    body = [_head(report), *(_pipeline(name, one) for name, one in report["pipelines"].items())]
    if differences:
        body.insert(1, _compared(differences))
    kept = json.dumps(report, separators=(",", ":")).replace("<", "\\u003c")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Load test of {escape(report['target'])}</title><style>{STYLE}\n{DRAWN}</style></head>"
        f'<body>{"".join(body)}<script type="application/json" id="report">{kept}</script></body></html>\n'
    )


def _head(report: Mapping[str, Any]) -> str:
    said = [f"Profile {report['profile']['name']}, begun {report['began']}."]
    if not report["client"]["kept_up"]:
        late = report["client"]["late_p99"]
        said.append(f"The client itself was late ({late:.2f} s at p99): the target is better than these figures.")
    if report["fallback_usd"] is not None:
        said.append(f"Hosted inference cost {report['fallback_usd']:.4f} USD.")
    return (
        f"<h1>Load test of {escape(report['target'])}</h1><p>{escape(' '.join(said))}</p>"
        f'<p class="big">{escape(verdict(report))}</p>'
    )


def verdict(report: Mapping[str, Any]) -> str:
    """What came out, in a sentence or two."""
    gave_way = report["gave_way"]
    said = ["Nothing gave way."]
    if gave_way:
        why = "; ".join(f"{name}: {words}" for name, words in gave_way["why"].items())
        said = [f"Gave way at {gave_way['rate']:.3g} requests a second ({why})."]
    for name, one in report["pipelines"].items():
        if one["capacity"]:
            said.append(f"{name}: the subnet carries {_capacity(one['capacity'])}.")
    return " ".join(said)


def _capacity(found: Mapping[str, Any]) -> str:
    if not found["found"]:
        return f"at least {found['per_second']:.3g} a second"
    return f"{found['per_second']:.3g} a second ({found['low']:.3g} to {found['high']:.3g})"


def _compared(differences: Iterable[Difference]) -> str:
    rows = [
        (
            one.pipeline,
            one.figure,
            f"{one.before:.3g}",
            f"{one.after:.3g}",
            f"{one.after - one.before:+.3g} ({one.low:+.3g} to {one.high:+.3g})",
            one.verdict,
        )
        for one in differences
    ]
    return "<h2>What changed</h2>" + _table(
        ("Pipeline", "Figure", "Before", "After", "Change (95 % interval)", "Verdict"), rows
    )


def _pipeline(name: str, one: Mapping[str, Any]) -> str:
    steps = [(float(place), str(place)) for place in range(1, len(one["steps"]) + 1)]
    marks = [(float(place), f"{mark:g}") for place, (mark, _) in enumerate(one["curve"])]
    figures = [
        _figure("Requests a second, by step", _rates(one["steps"]), steps),
        _figure("Seconds to an answer, by step", _percentiles(one["steps"]), steps),
        _figure("Seconds to an answer, by percentile", _curve(one), marks[::2]),
    ]
    failures = [(failure, str(count)) for failure, count in one["failures"].items()]
    failed = _table(("Failure", "Requests"), failures) if failures else "<p>No request failed.</p>"
    return f"<h2>{escape(name)}</h2>{_steps(one['steps'])}{''.join(figures)}{failed}"


def _steps(steps: Sequence[Mapping[str, Any]]) -> str:
    titles = ("Step", "Offered /s", "Subnet /s", "Answered", "Subnet share", "p50 s", "p95 s", "p99 s")
    rows = [
        (
            f"{place}",
            f"{step['offered_per_second']:.3g}",
            f"{step['carried_per_second']:.3g}",
            f"{100 * step['success']:.1f} %",
            f"{100 * step['subnet_share']:.0f} %",
            *(f"{step['latency'][q]:.2f}" for q in ("p50", "p95", "p99")),
        )
        for place, step in enumerate(steps, 1)
    ]
    return _table(titles, rows)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    colours = {"better": ' class="good"', "worse": ' class="bad"'}
    body = "".join(
        "<tr>" + "".join(f"<td{colours.get(cell, '')}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _rates(steps: Sequence[Mapping[str, Any]]) -> Lines:
    answered = [step["answered"] / (step["end"] - step["begin"]) for step in steps]
    return {
        "offered": [(place, step["offered_per_second"]) for place, step in enumerate(steps, 1)],
        "answered": list(enumerate(answered, 1)),
        "by the subnet": [(place, step["carried_per_second"]) for place, step in enumerate(steps, 1)],
    }


def _percentiles(steps: Sequence[Mapping[str, Any]]) -> Lines:
    return {q: [(place, step["latency"][q]) for place, step in enumerate(steps, 1)] for q in ("p50", "p95", "p99")}


def _curve(one: Mapping[str, Any]) -> Lines:
    """Percentiles at equal distances, so that the tail has room."""
    return {"all answers": [(float(place), seconds) for place, (_, seconds) in enumerate(one["curve"])]}


def _figure(title: str, lines: Lines, marks: Sequence[tuple[float, str]]) -> str:
    drawn = {name: points for name, points in lines.items() if points}
    if not drawn:
        return ""
    highest = max(y for points in drawn.values() for _, y in points)
    across = max(x for points in drawn.values() for x, _ in points)
    upwards = upright(highest or 1.0, FLOOR, TOP, most=5)
    sideways = Axis(max(1.0, across), 1.0, LEFT, RIGHT)
    canvas = Canvas(WIDTH, HEIGHT, title)
    _ground(canvas, upwards, [(sideways(x), name) for x, name in marks])
    for place, (name, points) in enumerate(drawn.items()):
        kind, left = f"s{place % SERIES}", LEFT + KEY_WIDTH * place
        canvas.add("path", kind, d=line([(sideways(x), upwards(y)) for x, y in points]), title=name)
        canvas.add("path", kind, d=line([(left, HEIGHT - 8), (left + 14, HEIGHT - 8)]))
        canvas.write(left + 20, HEIGHT - 4, name)
    return f"<figure><figcaption>{escape(title)}</figcaption>{canvas}</figure>"


def _ground(canvas: Canvas, upwards: Axis, marks: Iterable[tuple[float, str]]) -> None:
    canvas.add("rect", "ground", x=LEFT, y=TOP, width=RIGHT - LEFT, height=FLOOR - TOP)
    for mark in upwards.marks():
        canvas.add("path", "grid", d=line([(LEFT, upwards(mark)), (RIGHT, upwards(mark))]))
        canvas.write(LEFT - 6, upwards(mark) + 4, f"{mark:g}", "left")
    for place, name in marks:
        canvas.write(place, FLOOR + 18, name, "middle")
