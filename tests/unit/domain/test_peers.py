"""What instances hear from each other."""

import math
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.peers import FRESH_S, VERSION, Peers, leaning, read_report
from spillway.domain.policy import SubnetPolicy
from spillway.domain.waste import Prices

NOW = 1000.0
NAMES = st.sampled_from(["a", "b", "c", "d"])


def said(at: float, *slots: float, **other: Any) -> dict[str, Any]:
    """A report."""
    known = {"version": VERSION, "at": at, "slots": list(slots) or [0.5, 0.5], "job_s": [4.0, 6.5], "refusal_s": 2.0}
    return {**known, **other}


PARTS = st.lists(st.integers(1, 9), min_size=1, max_size=30).map(lambda raw: [one / sum(raw) for one in raw])
TIMES = st.sampled_from([950.0, 980.0, 990.0, 999.0, NOW])
REPORTS = st.builds(lambda at, slots, left: said(at, *slots, left=left), TIMES, PARTS, st.booleans())
MESSAGES = st.lists(st.tuples(NAMES, REPORTS), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(["version", "at", "slots", "job_s", "refusal_s", "load", "left", "open"])


def heard(messages: list[tuple[str, dict[str, Any]]]) -> Peers:
    """After these reports, one by one."""
    peers = Peers()
    for name, report in messages:
        peers.take({name: report}, NOW)
    return peers


@given(MESSAGES, st.randoms())
def test_the_order_of_reports_does_not_matter(messages: list[tuple[str, dict[str, Any]]], chance: Random) -> None:
    shuffled = chance.sample(messages, len(messages))
    assert heard(messages).belief(NOW) == heard(shuffled).belief(NOW)


@given(MESSAGES)
def test_a_report_that_comes_twice_is_one(messages: list[tuple[str, dict[str, Any]]]) -> None:
    assert heard(messages * 2).belief(NOW) == heard(messages).belief(NOW)


@given(MESSAGES)
def test_reports_that_come_together_are_those_that_come_one_by_one(messages: list[tuple[str, dict[str, Any]]]) -> None:
    together = Peers()
    latest = {name: max((r for n, r in messages if n == name), key=_order) for name, _ in messages}
    together.take(latest, NOW)
    assert heard(messages).belief(NOW) == together.belief(NOW)


def _order(report: dict[str, Any]) -> tuple[float, list[float], bool]:
    return report["at"], report["slots"], report["left"]


@given(MESSAGES)
def test_the_mean_is_a_belief_within_what_they_believe(messages: list[tuple[str, dict[str, Any]]]) -> None:
    peers = heard(messages)
    belief = peers.belief(NOW)
    assert bool(belief) == bool(len(peers))
    if belief:
        assert math.fsum(belief) == pytest.approx(1.0)
        means = [sum(n * p for n, p in enumerate(report["slots"])) for _, report in messages]
        assert min(means) - 1e-6 <= sum(n * p for n, p in enumerate(belief)) <= max(means) + 1e-6


def test_the_dead_are_forgotten() -> None:
    peers = heard([("a", said(NOW, 0.0, 1.0)), ("b", said(NOW - 20, 1.0, 0.0))])
    assert list(peers.belief(NOW)) == [0.5, 0.5]
    assert list(peers.belief(NOW + 10)) == [0.0, 1.0]
    assert not peers.belief(NOW + FRESH_S)
    assert len(peers) == 0


@given(st.lists(st.tuples(NAMES, st.floats(0, 50)), min_size=1, max_size=8), st.randoms())
def test_load_of_others_is_the_sum_of_the_latest_that_each_told(told: list[tuple[str, float]], chance: Random) -> None:
    messages = [(name, said(NOW - 9 + place, load=load)) for place, (name, load) in enumerate(told)]
    latest = dict(told)
    assert heard(chance.sample(messages, len(messages)) * 2).load == pytest.approx(math.fsum(latest.values()))


def test_load_of_the_dead_and_of_those_who_never_told_one_is_none() -> None:
    peers = heard([("a", said(NOW - 20, load=2.0)), ("b", said(NOW, load=3.0)), ("earlier revision", said(NOW))])
    assert peers.load == 5.0
    peers.belief(NOW + 15)
    assert (peers.load, len(peers)) == (3.0, 2)


def test_what_is_open_elsewhere_fades_and_counts_only_where_all_say_it() -> None:
    both = heard([("a", said(NOW - 1, load=2.0, open=3)), ("b", said(NOW - 3, load=1.0, open=4))])
    assert both.elsewhere(NOW, 4.0).seen == 7
    assert both.elsewhere(NOW, 4.0).left == pytest.approx(math.exp(-2 / 4), abs=0.05)
    assert both.elsewhere(NOW, 40.0).left == pytest.approx(0.95, abs=0.05)
    assert both.elsewhere(NOW + 20, 4.0).left == 0.0
    one = heard([("a", said(NOW - 1, load=2.0, open=3)), ("earlier revision", said(NOW - 3, load=1.0))])
    assert one.elsewhere(NOW, 4.0).left == 0.0


def test_who_has_left_is_not_reckoned_with_whatever_is_heard_of_him_later() -> None:
    earlier, last = said(NOW - 2, 0.0, 1.0, load=4.0), said(NOW - 1, 0.0, 1.0, load=4.0, left=True)
    peers = heard([("a", earlier), ("b", said(NOW, 1.0, 0.0, load=3.0)), ("a", last), ("a", earlier)])
    assert (peers.load, len(peers), list(peers.belief(NOW))) == (3.0, 1, [1.0, 0.0])


def test_what_is_too_old_already_or_of_another_version_or_time_is_not_heard() -> None:
    messages = [("a", said(NOW - FRESH_S)), ("b", said(NOW, version=VERSION + 1)), ("c", said(NOW + 1e6))]
    assert len(heard(messages)) == 0


def test_later_version_of_an_instance_leaves_its_earlier_report_to_die() -> None:
    peers = heard([("a", said(NOW - 5, 0.0, 1.0)), ("a", said(NOW, 1.0, 0.0, version=VERSION + 1))])
    assert list(peers.belief(NOW)) == [0.0, 1.0]


@given(FIELDS, JSON)
def test_a_field_that_makes_no_sense_breaks_nothing(field: str, value: Any) -> None:
    _survives({**said(NOW), field: value})


@given(JSON)
def test_a_report_that_is_none_breaks_nothing(value: Any) -> None:
    _survives(value)


def _survives(report: Any) -> None:
    policy = SubnetPolicy("text-to-image", Prices(), Random(1), patience_s=30.0)
    policy.start_from(report)
    policy.merge({"a": report, "b": said(NOW)}, NOW)
    policy.tick(NOW + 1.0)
    assert policy.arrive(1, NOW + 2.0)
    assert math.fsum(policy.estimate.slots.p) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    "broken",
    [
        {"slots": []},
        {"slots": [0.0, 0.0]},
        {"slots": [-1.0, 2.0]},
        {"slots": [math.nan]},
        {"slots": [0.1] * 100_000},
        {"slots": ["0.5", None]},
        {"at": math.inf},
        {"at": 10**400},
        {"job_s": [4.0]},
        {"job_s": [math.inf, 4.0]},
        {"refusal_s": -1.0},
        {"refusal_s": "soon"},
    ],
)
def test_numbers_that_can_not_be_are_no_report(broken: dict[str, Any]) -> None:
    assert read_report({**said(NOW), **broken}) is None


@given(MESSAGES, st.integers(0, 5))
def test_hearing_changes_nothing_about_own_tries(messages: list[tuple[str, dict[str, Any]]], tries: int) -> None:
    policy = SubnetPolicy("text-to-image", Prices(), Random(1), patience_s=30.0)
    for key in range(tries):
        policy.force(key, NOW)
    belief = list(policy.estimate.slots.p)
    assert policy.merge(dict(messages), NOW) == []
    assert (policy.open, policy.waiting) == (tries, 0)
    assert policy.estimate.slots.p == belief


def test_without_others_nothing_leans() -> None:
    alone, deaf = (SubnetPolicy("text-to-image", Prices(), Random(1), patience_s=30.0) for _ in range(2))
    for now in (0.0, 5.0, 10.0):
        alone.merge({}, now)
        deaf.tick(now)
    assert alone.estimate.slots.p == deaf.estimate.slots.p


def test_who_listens_comes_nearer_to_the_others_and_never_past_them() -> None:
    policy = SubnetPolicy("text-to-image", Prices(), Random(1), patience_s=30.0)
    before = policy.limit
    others = said(NOW, *([0.0] * 20), 1.0)
    limits = []
    for second in range(60):
        policy.merge({"a": {**others, "at": NOW + second}}, NOW + second)
        limits.append(policy.limit)
    # What fades is reckoned now and then, so a belief that has arrived there still trembles.
    assert all(after > before - 0.05 for before, after in pairwise(limits))
    assert before < limits[10] < limits[-1] <= 20.0


def test_leaning_takes_time() -> None:
    assert leaning(-5.0) == leaning(0.0) == 0.0
    assert 0.0 < leaning(1.0) < leaning(10.0) < 1.0
