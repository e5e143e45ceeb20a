"""Rates with their uncertainty, and a share that rises by proof, falls at once and never flaps."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.proof import ProofTerms, Sample, Target, proofs, read_target, step, wilson
from spillway.domain.tally import Counts

TERMS = ProofTerms()


class Network:
    """A route whose tries succeed by chance, looked at once a minute."""

    def __init__(self, per_hour: float = 60.0, seed: int = 1, target: Target | None = None):
        self.random, self.per_hour, self.now = Random(seed), per_hour, 0.0
        self.counts = Counts()
        self.samples = [Sample(0.0, Counts())]
        self.target = target or Target()
        self.changes: list[Target] = []

    def run(self, hours: float, success: float) -> Target:
        """As many requests as come; the subnet gets its share of them."""
        for _ in range(int(hours * 60)):
            self.now += 60.0
            for _ in range(int(self.per_hour / 60 + self.random.random())):
                self.counts.requests += 1
                if self.random.random() < self.target.share:
                    good = self.random.random() < success
                    self.counts.add(Counts(subnet_tries=1, subnet_served=good, faults=not good))
            self.samples = [*self.samples[-300:], Sample(self.now, Counts.of_row(self.counts.row()))]
            changed = step(self.target, self.samples, self.now, TERMS)
            if changed is not self.target:
                self.changes.append(changed)
            self.target = changed
        return self.target


@pytest.mark.parametrize("per_hour", [3.0, 60.0, 3600.0])
def test_a_good_network_keeps_everything(per_hour: float) -> None:
    network = Network(per_hour)
    assert network.run(12, 0.95).share == 1.0
    assert network.changes == []


@pytest.mark.parametrize(("per_hour", "within_h"), [(3.0, 6.0), (60.0, 0.5), (3600.0, 0.1)])
def test_a_network_that_fails_loses_its_share_at_once_in_tries(per_hour: float, within_h: float) -> None:
    network = Network(per_hour)
    network.run(5, 0.95)
    assert network.run(within_h, 0.0).share <= 0.5
    assert len(network.changes) == 1


def test_bad_news_is_not_outvoted_by_a_good_past() -> None:
    network = Network(600.0)
    network.run(24, 0.98)
    assert network.run(0.1, 0.05).share < 0.1


@pytest.mark.parametrize("per_hour", [3.0, 60.0, 3600.0])
def test_it_rises_again_in_steps_as_it_proves_itself(per_hour: float) -> None:
    network = Network(per_hour)
    network.run(8, 0.0)
    network.run(40, 0.95)
    rises = [change.share for change in network.changes[-3:]]
    assert rises == sorted(rises)
    assert network.target.share == 1.0


@pytest.mark.parametrize("success", [0.3, 0.5, 0.6, 0.7, 0.8, 0.95])
@pytest.mark.parametrize("seed", range(2))
def test_a_steady_network_does_not_flap(success: float, seed: int) -> None:
    network = Network(120.0, seed)
    network.run(20, success)
    assert len(network.changes) <= 8
    turns = sum(
        (b.share > a.share) != (c.share > b.share)
        for a, b, c in zip(network.changes, network.changes[1:], network.changes[2:], strict=False)
    )
    assert turns <= 3


tries = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(60, 40_000)), min_size=1, max_size=60)


@settings(max_examples=80)
@given(tries, st.floats(0.05, 1.0))
def test_every_change_has_its_evidence_and_lies_within_bounds(seen: list[tuple[int, int, int]], share: float) -> None:
    target, now, counts, samples = Target(share), 0.0, Counts(), [Sample(0.0, Counts())]
    for good, bad, gap_s in seen:
        now += gap_s
        counts.add(Counts(requests=good + bad, subnet_tries=good + bad, subnet_served=good, faults=bad))
        samples.append(Sample(now, Counts.of_row(counts.row())))
        changed = step(target, samples, now, TERMS)
        assert step(changed, samples, now, TERMS) is changed, "one look changes it once"
        assert 0 < changed.share <= 1
        new = (counts.subnet_served - target.base[0], counts.faults - target.base[1])
        if changed.share < target.share:
            assert new[1] >= 4
        elif changed.share > target.share:
            assert now - target.since > 86400 or new[0] >= 8
        target = changed


def test_refusals_do_not_count_against_health() -> None:
    busy = Sample(60.0, Counts(requests=100, subnet_tries=100, subnet_served=10, refused=90))
    assert step(Target(), [Sample(0.0, Counts()), busy], 60.0, TERMS).share == 1.0


def test_an_emptied_store_changes_nothing() -> None:
    before = Target(0.2, 5.0, "it failed", (50.0, 40.0))
    after = step(before, [Sample(9.0, Counts(subnet_served=1))], 9.0, TERMS)
    assert (after.share, after.base) == (0.2, (1.0, 0.0))


def test_windows_are_as_long_as_their_names_and_as_far_back_as_there_are_samples() -> None:
    samples = [Sample(hour * 3600.0, Counts(requests=hour, subnet_served=hour)) for hour in range(200)]
    told = proofs(samples, 199 * 3600.0)
    assert [told[name]["requests"] for name in ("1h", "24h", "7d")] == [1, 24, 168]
    assert proofs(samples[:3], 7200.0)["7d"]["requests"] == 2
    assert proofs([], 0.0)["1h"]["success"] == {"rate": None, "low": 0.0, "high": 1.0, "of": 0.0}


def test_the_interval_is_wilsons() -> None:
    interval = wilson(8, 10)
    assert (round(interval.low, 3), round(interval.high, 3)) == (0.49, 0.943)


def test_dear_tries_must_succeed_more_often() -> None:
    free = ProofTerms.of_prices(usd_per_try=0.0, usd_per_second=0.0002, lost_s=4.0, usd_per_job=0.003)
    dear = ProofTerms.of_prices(usd_per_try=0.01, usd_per_second=0.0002, lost_s=4.0, usd_per_job=0.003)
    assert (free.falls_below, free.proven_above) == (0.5, 0.75)
    assert 0.75 < dear.falls_below < dear.proven_above < 1.0


def test_a_target_is_stored_and_read() -> None:
    target = Target(0.25, 7.0, "it failed", (3.0, 9.0))
    assert read_target(target.body(), TERMS) == target
    assert read_target({}, TERMS) == Target(1.0)
