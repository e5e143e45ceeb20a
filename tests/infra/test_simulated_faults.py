"""Facts of the book of faults."""

import pytest

from simulator.faults import KINDS, Fault, Faults, fault_from


def test_rule_strikes_so_often_and_no_more() -> None:
    book = Faults([Fault("reset", times=2)])
    assert [book.pick("POST", "/llm", 0.0) is not None for _ in range(3)] == [True, True, False]


def test_rule_matches_by_path_prefix_and_method() -> None:
    book = Faults([Fault("reset", "/v1/predictions", method="GET")])
    assert book.pick("POST", "/v1/predictions", 0.0) is None
    assert book.pick("GET", "/v1/models", 0.0) is None
    assert book.pick("GET", "/v1/predictions/abc", 0.0) is not None


def test_rule_without_a_path_leaves_downloads_alone() -> None:
    book = Faults([Fault("reset")])
    assert book.pick("GET", "/stream/a/b.png", 0.0) is None
    assert book.pick("GET", "/files/a/b.png", 0.0) is None


def test_window_is_half_open() -> None:
    book = Faults([Fault("hang", start_s=10, end_s=20)])
    assert [book.pick("POST", "/llm", now) is not None for now in (9.9, 10.0, 19.9, 20.0)] == [False, True, True, False]


def test_chances_are_repeatable() -> None:
    def run(seed: int) -> list[bool]:
        book = Faults([Fault("reset", probability=0.5)], seed=seed)
        return [book.pick("POST", "/llm", 0.0) is not None for _ in range(100)]

    assert run(1) == run(1) != run(2)
    assert 30 < sum(run(1)) < 70


def test_first_standing_rule_wins_and_the_next_takes_over_when_it_is_spent() -> None:
    book = Faults()
    book.add("reset", times=1)
    book.add("status", status=500)
    assert [getattr(book.pick("POST", "/llm", 0.0), "kind", None) for _ in range(3)] == ["reset", "status", "status"]


def test_rules_of_other_kinds_are_not_spent() -> None:
    book = Faults([fault := Fault("failed", times=1)])
    assert book.pick("GET", "/v1/account", 0.0, kinds={"reset"}) is None
    assert book.struck(fault) == 0


def test_unknown_kind_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="no such kind of fault: 'explode'"):
        Faults().add("explode")  # type: ignore[arg-type]


def test_rules_go_through_json_and_back() -> None:
    book = Faults([Fault("status", "/llm", status=429, retry_after=2, times=3)])
    assert [fault_from(rule) for rule in book.describe()] == [
        Fault("status", "/llm", status=429, retry_after=2, times=3)
    ]
    with pytest.raises(ValueError, match="colour"):
        fault_from({"kind": "reset", "colour": "red"})


def test_there_are_no_kinds_beyond_the_closed_set() -> None:
    assert {"status", "close", "reset", "hang", "cut", "clean_cut", "stall", "truncated_media", "nsfw"} <= KINDS
