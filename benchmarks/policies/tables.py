"""The tables of docs/policy.md, from played scenarios. Every figure is the mean over the seeds."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from spillway.simulation.played import Figures

OURS, CANDIDATE, ALWAYS = "Spillway", "candidate", "always try"
REFERENCE = "0.0005"
PRICED = {"free": "tries free", "0.0005": "0.0005 USD a try", "0.003": "0.003 USD a try"}
SETTINGS = {**PRICED, "none": "no prices"}
JUDGES = (ALWAYS, "success rate", "breaker", "AIMD", CANDIDATE)
"""Whose cost ours is held against."""

CAPACITY_BINDS = ("02", "03", "04", "05", "08", "10", "17")
EIGHT = ("14", "15", "16")
STUDY = tuple(f"{number:02}" for number in range(1, 20))
LESS_SHARE, SLOWER_S, DEARER, BACK_S = 0.02, 1.5, 1.02, 15.0
MEAN_SHARE, MORE_SHARE, LOWEST_SHARE = 1.06, 0.02, 0.95
REFUSED_ALONE, REFUSED_BY_EIGHT = 0.055, 0.14
ROUNDING = 0.0005


class Results:
    """Figures of each seed, by policy, prices and scenario."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, str, str], list[Figures]] = defaultdict(list)

    def add(self, policy: str, prices: str, scenario: str, figures: Figures) -> None:
        """One more seed."""
        self._figures[policy, prices, scenario].append(figures)

    def mean(self, policy: str, prices: str, scenario: str, name: str) -> float:
        """Of one figure; NaN where it does not apply."""
        values = [getattr(one, name) for one in self._figures[policy, prices, scenario]]
        return fmean(float("nan") if value is None else value for value in values)

    @property
    def scenarios(self) -> list[str]:
        """Their names, in order."""
        return sorted({scenario for _, _, scenario in self._figures})

    @property
    def policies(self) -> list[str]:
        """All but ours, then ours."""
        known = {policy for policy, prices, _ in self._figures if prices == REFERENCE}
        return [*(policy for policy in (*JUDGES[:-1], "throttling", CANDIDATE, OURS) if policy in known)]

    def cheapest_other(self, prices: str, scenario: str) -> tuple[float, str]:
        """The cost of the cheapest policy beside ours, and its name."""
        return min((self.mean(policy, prices, scenario, "cost_usd"), policy) for policy in JUDGES)


@dataclass(frozen=True, slots=True)
class Target:
    """What ours is held to at some prices, as a whole or in a scenario: `miss` says in figures where it is not met."""

    name: str
    miss: Callable[..., str]


def document(results: Results, seeds: int) -> str:
    """All that `make bench` writes."""
    parts = (_summary(results), _scenarios(results), _costs(results), _settings(results), _misses(results))
    return f"Means of {seeds} seeds. Prices where none are named: 0.0005 USD a try, 0.0002 USD a second.\n\n" + (
        "\n\n".join(parts) + "\n"
    )


def _summary(results: Results) -> str:
    head = ("policy", "mean share", "lowest", "refused a success where capacity binds", "eight instances")
    rows = [[policy, *_means(results, policy, REFERENCE)] for policy in results.policies]
    return "### All policies, scenarios 01 to 19\n\n" + _table((*head, "failed users", "USD"), rows)


def _settings(results: Results) -> str:
    head = ("prices", "policy", "mean share", "lowest", "refused a success where capacity binds", "eight instances")
    rows = [
        [words, policy, *_means(results, policy, prices)]
        for prices, words in SETTINGS.items()
        for policy in (ALWAYS, CANDIDATE, OURS)
    ]
    return "### What prices change, scenarios 01 to 19\n\n" + _table((*head, "failed users", "USD"), rows)


def _means(results: Results, policy: str, prices: str) -> Iterator[str]:
    study, shares = _numbered(results, STUDY), _study_shares(results, policy, prices)
    yield f"{fmean(shares):.3f}"
    yield f"{min(shares):.2f}"
    yield from (f"{_refused(results, policy, prices, numbers):.3f}" for numbers in (CAPACITY_BINDS, EIGHT))
    yield f"{sum(results.mean(policy, prices, scenario, 'failed') for scenario in study):.0f}"
    yield f"{sum(results.mean(policy, prices, scenario, 'cost_usd') for scenario in study):.0f}"


def _numbered(results: Results, numbers: Sequence[str]) -> list[str]:
    return [scenario for scenario in results.scenarios if scenario[:2] in numbers]


def _scenarios(results: Results) -> str:
    head = ["scenario", *(f"share: {policy}" for policy in (ALWAYS, CANDIDATE, OURS))]
    head += [f"refused a success: {policy}" for policy in (CANDIDATE, OURS)]
    head += [f"p95 s: {policy}" for policy in (ALWAYS, OURS)]
    head += [f"back after s: {policy}" for policy in (CANDIDATE, OURS)]

    def row(scenario: str) -> Iterator[str]:
        def figure(policy: str, name: str) -> float:
            return results.mean(policy, REFERENCE, scenario, name)

        yield scenario
        yield from (f"{figure(policy, 'subnet_share_of_oracle'):.2f}" for policy in (ALWAYS, CANDIDATE, OURS))
        yield from (f"{figure(policy, 'refused_per_success'):.3f}" for policy in (CANDIDATE, OURS))
        yield from (f"{figure(policy, 'latency_p95'):.1f}" for policy in (ALWAYS, OURS))
        yield from (_or_blank(figure(policy, "recovery_seconds")) for policy in (CANDIDATE, OURS))

    return "### By scenario\n\n" + _table(head, [list(row(scenario)) for scenario in results.scenarios])


def _or_blank(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.0f}"


def _costs(results: Results) -> str:
    def cells(scenario: str) -> Iterator[str]:
        for prices in PRICED:
            usd, cheapest = results.cheapest_other(prices, scenario)
            ours = results.mean(OURS, prices, scenario, "cost_usd")
            yield from (f"{ours:.2f}", f"{ours / usd:.3f}", cheapest)

    head = [word for words in PRICED.values() for word in (f"{words}: USD", "of the cheapest other", "which is")]
    rows = [[scenario, *cells(scenario)] for scenario in results.scenarios]
    return "### Cost by price of a try, beside the cheapest other policy\n\n" + _table(["scenario", *head], rows)


def _misses(results: Results) -> str:
    rows = [["01 to 19", target.name, *(target.miss(results, prices) for prices in SETTINGS)] for target in WHOLE]
    for scenario in results.scenarios:
        rows += [
            [scenario, target.name, *(target.miss(results, prices, scenario) for prices in SETTINGS)]
            for target in TARGETS
        ]
    missed, figures = sum(bool(cell) for row in rows for cell in row[2:]), len(rows) * len(SETTINGS)
    words = f"{missed} of {figures} figures; an empty cell, and a target that has no row, is met."
    head = ["scenario", "target", *SETTINGS.values()]
    return f"### Where a target is missed\n\n{words}\n\n" + _table(head, [row for row in rows if any(row[2:])])


def _study_shares(results: Results, policy: str, prices: str) -> list[float]:
    return [results.mean(policy, prices, one, "subnet_share_of_oracle") for one in _numbered(results, STUDY)]


def _refused(results: Results, policy: str, prices: str, numbers: Sequence[str]) -> float:
    bound = _numbered(results, numbers)
    return fmean(results.mean(policy, prices, scenario, "refused_per_success") for scenario in bound)


def _mean_share(results: Results, prices: str) -> str:
    ours, theirs = (fmean(_study_shares(results, policy, prices)) for policy in (OURS, CANDIDATE))
    return f"{ours:.3f}, candidate {theirs:.3f}" if ours < max(MEAN_SHARE, theirs + MORE_SHARE) else ""


def _lowest_share(results: Results, prices: str) -> str:
    lowest = min(_study_shares(results, OURS, prices))
    return f"{lowest:.3f}" if lowest < LOWEST_SHARE else ""


def _refused_alone(results: Results, prices: str) -> str:
    part = _refused(results, OURS, prices, CAPACITY_BINDS)
    return f"{part:.3f}" if part > REFUSED_ALONE else ""


def _refused_by_eight(results: Results, prices: str) -> str:
    part = _refused(results, OURS, prices, EIGHT)
    return f"{part:.3f}" if part > REFUSED_BY_EIGHT else ""


def _less_share(results: Results, prices: str, scenario: str) -> str:
    ours, theirs = (results.mean(policy, prices, scenario, "subnet_share_of_oracle") for policy in (OURS, CANDIDATE))
    return f"{ours:.3f}, candidate {theirs:.3f}" if ours < theirs - LESS_SHARE else ""


def _more_refused(results: Results, prices: str, scenario: str) -> str:
    ours, theirs = (results.mean(policy, prices, scenario, "refused_per_success") for policy in (OURS, CANDIDATE))
    return f"{ours:.3f}, candidate {theirs:.3f}" if ours > theirs + ROUNDING else ""


def _slower(results: Results, prices: str, scenario: str) -> str:
    others = prices if prices == "none" else REFERENCE
    ours = results.mean(OURS, prices, scenario, "latency_p95")
    always = results.mean(ALWAYS, others, scenario, "latency_p95")
    return f"{ours:.1f}, always {always:.1f}" if "video" not in scenario and ours > always + SLOWER_S else ""


def _dearer(results: Results, prices: str, scenario: str) -> str:
    if prices not in PRICED:
        return ""
    usd, cheapest = results.cheapest_other(prices, scenario)
    part = results.mean(OURS, prices, scenario, "cost_usd") / usd
    return f"{part:.3f} of {cheapest}'s" if part > DEARER else ""


def _late(results: Results, prices: str, scenario: str) -> str:
    back_s = results.mean(OURS, prices, scenario, "recovery_seconds")
    return f"{back_s:.0f}" if back_s > BACK_S else ""


def _failed(results: Results, prices: str, scenario: str) -> str:
    failed = results.mean(OURS, prices, scenario, "failed")
    return f"{failed:.1f}" if failed else ""


WHOLE = (
    Target("mean share 1.06, and 0.02 over the candidate's", _mean_share),
    Target("lowest share 0.95", _lowest_share),
    Target("0.055 refused a success where capacity binds at most", _refused_alone),
    Target("0.14 refused a success with eight instances at most", _refused_by_eight),
)
TARGETS = (
    Target("share 0.02 under the candidate's at most", _less_share),
    Target("no more refused than the candidate", _more_refused),
    Target("p95 1.5 s over always trying at most", _slower),
    Target("cost 1.02 of the cheapest at most", _dearer),
    Target("back within 15 s", _late),
    Target("no user fails", _failed),
)


def _table(head: Iterable[Any], rows: Sequence[Sequence[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
