"""Counters of instances add up to the same sum, whoever publishes, restarts, vanishes or is folded, and when."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.tally import RETIRE_S, RETIRED, Counts, Tally, folded, merged, read_tally, to_retire

ROUTE, PLACE = "text-to-image *", "replicate acme/paint"


def tally(served: int, hosted: int = 0, at: float = 0.0) -> Tally:
    """An instance that did so much."""
    one = Tally()
    one.route(ROUTE).add(Counts(requests=served + hosted, subnet_tries=served, subnet_served=served))
    for _ in range(hosted):
        one.place(PLACE).start(at, seconds=3.0, served=True)
    return one


def stored(one: Tally, at: float = 0.0) -> dict[str, Any]:
    """As a store gives it back."""
    return json.loads(json.dumps(one.body(at)))


def test_a_document_is_read_as_it_was_written() -> None:
    one = read_tally(stored(tally(3, 2)))
    assert one.routes[ROUTE] == Counts(requests=5, subnet_tries=3, subnet_served=3)
    assert (one.hosted[PLACE].starts, one.hosted[PLACE].seconds, one.hosted[PLACE].recent) == (2, 6.0, [(0.0, 2.0)])


def test_sums_are_over_instances() -> None:
    total = merged({"a": stored(tally(3)), "b": stored(tally(4, 1))})
    assert (total.routes[ROUTE].subnet_served, total.hosted[PLACE].starts) == (7, 1)


def test_what_is_not_understood_counts_nothing() -> None:
    later = {**stored(tally(3)), "version": 2}
    assert merged({"a": later, "b": {}, "c": {"version": 1, "routes": 3}, "d": stored(tally(1))}).routes == {
        ROUTE: Counts(requests=1, subnet_tries=1, subnet_served=1)
    }


def test_starts_are_remembered_for_a_quarter_of_an_hour() -> None:
    one = Tally()
    for second in range(0, 2000, 2):
        one.place(PLACE).start(float(second), seconds=1.0, served=False)
    assert one.place(PLACE).starts == 1000
    assert len(one.place(PLACE).recent) <= 182
    assert one.body(5000.0)["hosted"][PLACE]["recent"] == []


instances = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.integers(0, 50), st.integers(0, 5), st.floats(0, 3 * RETIRE_S)), max_size=6
)


@settings(max_examples=80)
@given(
    instances, st.sets(st.sampled_from("abcdef")), st.lists(st.sampled_from(["fold", "write", "delete"]), max_size=8)
)
def test_nobody_is_lost_or_counted_twice_wherever_folding_stops(
    there: dict[str, tuple[int, int, float]], undeleted: set[str], steps: list[str]
) -> None:
    now = 3 * RETIRE_S
    documents = {key: stored(tally(served, hosted), at) for key, (served, hosted, at) in there.items()}
    expected = merged(documents)
    for step in [*steps, "fold", "delete"]:
        gone = to_retire(documents, now)
        if step == "fold":
            documents[RETIRED] = json.loads(json.dumps(folded(documents, gone, now)))
        elif step == "delete" and RETIRED in documents:
            for key in set(documents[RETIRED]["folded"]) - undeleted:
                documents.pop(key, None)
        total = merged(documents)
        assert {name: counts.row() for name, counts in total.routes.items() if any(counts.row())} == {
            name: counts.row() for name, counts in expected.routes.items() if any(counts.row())
        }
        assert {name: usage.starts for name, usage in total.hosted.items()} == {
            name: usage.starts for name, usage in expected.hosted.items()
        }


def test_counters_that_fell_are_a_new_beginning() -> None:
    assert Counts(requests=3).since(Counts(requests=10)).requests == 0
