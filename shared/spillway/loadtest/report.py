"""The report of a load test, as an object that JSON holds and that a later test can be compared with."""

import html
import json
import re
from pathlib import Path
from typing import Any

from spillway.domain.moments import rfc3339
from spillway.errors import BadSettings
from spillway.loadtest.run import Progress
from spillway.loadtest.samples import Latencies, Sample, tally
from spillway.loadtest.steps import Measured, capacity

KIND = "spillway-loadtest"
VERSION = 1
LATE_S = 0.1
_EMBEDDED = re.compile(r'<script type="application/json" id="report">(.*?)</script>', re.DOTALL)


def report(progress: Progress, target: str, began: float) -> dict[str, Any]:
    """Everything that was seen; `began` in epoch seconds. Times in seconds, rates a second, money in USD."""
    measured = progress.measured()
    counted = [sample for sample in progress.samples if sample.due >= progress.profile.warm_up]
    answered = tally(counted).answered
    return {
        "kind": KIND,
        "version": VERSION,
        "target": target,
        "began": rfc3339(began),
        "profile": progress.profile.model_dump(mode="json"),
        "client": _client(progress.samples),
        "fallback_usd": progress.usd,
        "fallback_usd_per_answer": progress.usd / answered if progress.usd is not None and answered else None,
        "gave_way": {"rate": progress.broke_at, "why": progress.broke} if progress.broke else None,
        "pipelines": {name: _pipeline(name, counted, measured) for name in progress.names},
    }


def _pipeline(name: str, samples: list[Sample], measured: list[Measured]) -> dict[str, Any]:
    carried = capacity(measured, name)
    steps = [
        {"rate": one.step.rate, "begin": one.step.begin, "end": one.step.end, **one.as_json()}
        for one in measured
        if one.pipeline == name
    ]
    whole = tally(sample for sample in samples if sample.pipeline == name)
    return {"capacity": carried.as_json() if carried else None, **whole.as_json(), "steps": steps}


def _client(samples: list[Sample]) -> dict[str, Any]:
    """Whether the client itself kept up: how long after they were due requests went out."""
    lag = Latencies()
    for sample in samples:
        lag.add(sample.sent - sample.due)
    return {"late_p99": lag.at(99), "late_max": lag.at(100), "kept_up": lag.at(99) <= LATE_S}


def read_report(path: Path) -> dict[str, Any]:
    """An earlier report, from its JSON or from its page. Raises BadSettings."""
    try:
        text = path.read_text(encoding="utf-8")
        embedded = _EMBEDDED.search(text)
        found = json.loads(html.unescape(embedded[1]) if embedded else text)
    except (OSError, ValueError) as error:
        raise BadSettings(f"{path} is no report of a load test ({type(error).__name__})") from error
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise BadSettings(f"{path} is no report of a load test")
    if found.get("version") != VERSION:
        raise BadSettings(f"{path} was written by another release (version {found.get('version')})")
    return found
