"""Cells add up, survive storing, and know quantiles within a tenth."""

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.chronicle import GROWTH, Cell, Cells, Times, body_of, cell, cells_of, merge, total

SECONDS = st.floats(0.0005, 5000.0)
ANSWERS = st.lists(st.tuples(st.sampled_from(["subnet", "replicate"]), SECONDS), max_size=30)


def cell_of(answers: list[tuple[str, float]]) -> Cell:
    one = Cell(requests=len(answers), usd=0.25 * len(answers))
    for server, seconds in answers:
        one.answered_by(server, seconds)
    return one


@given(ANSWERS, ANSWERS)
def test_the_order_of_merging_makes_no_difference(
    first: list[tuple[str, float]], second: list[tuple[str, float]]
) -> None:
    one, other = cell_of(first), cell_of(second)
    one.merge(cell_of(second))
    other.merge(cell_of(first))
    whole = cell_of([*first, *second])
    for merged in (one, other):
        assert merged.requests == whole.requests
        assert {name: times.bins for name, times in merged.served.items()} == {
            name: times.bins for name, times in whole.served.items()
        }


@given(st.lists(SECONDS, min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_right_within_its_bin(seconds: list[float], q: float) -> None:
    times = Times()
    for one in seconds:
        times.add(one)
    ordered = sorted(max(0.001, one) for one in seconds)
    exact = ordered[max(0, -(-int(q * 1000) * len(ordered) // 1000) - 1)]
    found = times.quantile(q)
    assert found is not None
    assert exact / GROWTH <= found <= exact * GROWTH


def test_nothing_has_no_quantile() -> None:
    assert Times().quantile(0.5) is None


@given(st.dictionaries(st.integers(0, 10**9), st.dictionaries(st.text(min_size=1), ANSWERS, max_size=3), max_size=5))
def test_what_is_stored_is_read_back(drawn: dict[int, dict[str, list[tuple[str, float]]]]) -> None:
    cells: Cells = {start: {name: cell_of(answers) for name, answers in row.items()} for start, row in drawn.items()}
    again = cells_of(body_of(cells))
    for start, row in cells.items():
        for name, one in row.items():
            if one.requests:
                assert again[start][name].served.keys() == one.served.keys()
                assert [times.bins for times in again[start][name].served.values()] == [
                    times.bins for times in one.served.values()
                ]


def test_what_can_not_be_understood_is_left_out() -> None:
    assert cells_of({"60": {"llm": "?"}, "soon": {}, "120": {}}) == {120: {}}


def test_minutes_are_gathered_into_quarters() -> None:
    minutes: Cells = {}
    for minute in range(0, 1800, 60):
        cell(minutes, minute, "llm").requests += 1
    quarters: Cells = {}
    merge(quarters, minutes, 900)
    assert {start: row["llm"].requests for start, row in quarters.items()} == {0: 15, 900: 15}
    assert total(quarters.values())["llm"].requests == 30
