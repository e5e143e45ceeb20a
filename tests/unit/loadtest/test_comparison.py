"""Reports are compared with their uncertainty."""

from random import Random

from spillway.loadtest.comparison import compare
from spillway.loadtest.samples import Sample, tally


def pipeline(seed: int, count: int, *, failed: int, seconds: float) -> dict[str, object]:
    chance = Random(seed)
    samples = [
        Sample(
            "llm", due := float(place), due, due + chance.lognormvariate(0, 0.3) * seconds,
            "timeout" if place < failed else "", "subnet",
        )
        for place in range(count)
    ]  # fmt: skip
    return {"pipelines": {"llm": {"capacity": None, **tally(samples).as_json()}}}


def verdicts(before: dict[str, object], after: dict[str, object]) -> dict[str, str]:
    return {one.figure: one.verdict for one in compare(before, after)}


def test_what_got_slower_and_failed_more_is_worse() -> None:
    before, after = pipeline(1, 800, failed=8, seconds=1.0), pipeline(2, 800, failed=80, seconds=1.5)
    assert verdicts(before, after) == {
        "success": "worse",
        "subnet share": "worse",
        "p50, s": "worse",
        "p95, s": "worse",
        "p99, s": "worse",
    }
    assert set(verdicts(after, before).values()) == {"better"}


def test_two_runs_of_the_same_thing_seldom_differ() -> None:
    runs = [pipeline(seed, 300, failed=15, seconds=1.0) for seed in range(40)]
    pairs = [verdicts(runs[place], runs[place + 1]) for place in range(0, 40, 2)]
    told = [verdict for pair in pairs for verdict in pair.values()]
    assert sum(verdict != "no difference shown" for verdict in told) <= 0.1 * len(told)


def test_a_few_requests_show_no_difference() -> None:
    before, after = pipeline(1, 5, failed=0, seconds=1.0), pipeline(2, 5, failed=2, seconds=1.0)
    assert verdicts(before, after)["success"] == "no difference shown"
