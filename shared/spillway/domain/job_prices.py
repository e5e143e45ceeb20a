"""What jobs cost in tickets, what the deposit could pay for them, and what hosted inference would."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spillway.domain.deposit import HORIZON_DAYS
from spillway.domain.ticket_counts import Counters

# Units that go-livepeer prices a usual request by: pixels of what is made, milliseconds of sound, tokens, letters.
# Only how they compare with each other matters here.
_UNITS: Mapping[str, float] = {
    "text-to-image": 1024 * 1024,
    "image-to-image": 1024 * 1024,
    "upscale": 1024 * 1024,
    "image-to-video": 576 * 1024 * 25,
    "segment-anything-2": 1024 * 1024,
    "image-to-text": 1024 * 1024,
    "audio-to-text": 60_000,
    "text-to-speech": 300,
    "llm": 256,
}


@dataclass(frozen=True, slots=True)
class JobPrice:
    """A route's jobs in a week. `expected_wei` is what a job costs in tickets by their chances; `sustainable_wei` what
    it may cost for the deposit to last for HORIZON_DAYS at this demand; None where it can't be told.
    """

    route: str
    jobs: int
    hosted_usd: float | None
    price_wei_per_unit: float | None
    expected_wei: int | None
    expected_usd: float | None
    sustainable_wei: int | None
    sustainable_usd: float | None

    def body(self) -> dict[str, Any]:
        """As it is reported: wei as decimal strings."""
        told = asdict(self)
        for name in ("expected_wei", "sustainable_wei"):
            told[name] = None if told[name] is None else str(told[name])
        return told


def job_prices(
    counts: Counters, days: int, deposit_wei: int, hosted_usd: Mapping[str, float], eth_usd: float | None
) -> list[JobPrice]:
    """By route; `counts` are of so many days. Tickets are not counted by route: what they were worth is shared out by
    the routes' prices and jobs, or by jobs alone where a price is not known.
    """
    routes = [name for name, jobs in sorted(counts.jobs.items()) if jobs >= 1]
    weights = _weights(counts, routes)
    whole = sum(weights[name] * counts.jobs[name] for name in routes)
    total_jobs = sum(counts.jobs[name] for name in routes)

    def price(name: str) -> JobPrice:
        expected = counts.value_wei * weights[name] / whole if whole and counts.value_wei else None
        daily = counts.jobs[name] / days
        # A route's part of the deposit is its part of what is spent.
        part = weights[name] * counts.jobs[name] / whole if whole else counts.jobs[name] / total_jobs
        sustainable = deposit_wei * part / (daily * HORIZON_DAYS)
        return JobPrice(
            name, round(counts.jobs[name]), hosted_usd.get(name), counts.prices.get(name), _whole(expected),
            _usd(expected, eth_usd), _whole(sustainable), _usd(sustainable, eth_usd),
        )  # fmt: skip

    return [price(name) for name in routes]


def _weights(counts: Counters, routes: Sequence[str]) -> Mapping[str, float]:
    priced = {name: counts.prices.get(name, 0.0) * _UNITS.get(name.partition(" ")[0], 0.0) for name in routes}
    return priced if _all_positive(priced.values()) else dict.fromkeys(routes, 1.0)


def _all_positive(values: Iterable[float]) -> bool:
    return all(value > 0 for value in values)


def _whole(wei: float | None) -> int | None:
    return None if wei is None else round(wei)


def _usd(wei: float | None, eth_usd: float | None) -> float | None:
    return None if wei is None or eth_usd is None else float(f"{wei / 1e18 * eth_usd:.6g}")
