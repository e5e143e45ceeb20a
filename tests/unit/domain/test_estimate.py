"""What becomes of tries makes an estimate; it decides nothing."""

from itertools import pairwise
from typing import Any

import pytest

from spillway.domain.controller import Ended
from spillway.domain.estimate import Estimate
from spillway.domain.open_tries import OpenTries


def told(at: float, load: float) -> dict[str, Any]:
    """What seven others together might say."""
    slots = [0.0] * 9 + [1.0]
    return {"version": 1, "at": at, "slots": slots, "job_s": [4.0, 6.5], "refusal_s": 2.0, "load": load}


class Subnet:
    """Plays tries into an estimate, second by second."""

    def __init__(self) -> None:
        self.tries = OpenTries()
        self.estimate = Estimate("text-to-image", self.tries)
        self.now = 0.0
        self._keys = 0

    def begin(self) -> int:
        """A try starts now."""
        self._keys += 1
        self.estimate.begun()
        self.tries.begin(self._keys, self.now, 0.0, self.estimate.crowd)
        return self._keys

    def pass_by(self, seconds: float) -> None:
        """Time goes by."""
        self.now += seconds
        self.estimate.advance(self.now, seconds)

    def end(self, key: int, how: Ended) -> float:
        """A try ends now."""
        return self.estimate.ended(self.tries.end(key), how, self.now)

    def full_of(self, slots: int, rounds: int = 30) -> None:
        """So many tries are served, and one more is refused, again and again."""
        for _ in range(rounds):
            keys = [self.begin() for _ in range(slots)]
            one_more = self.begin()
            self.pass_by(2.0)
            self.end(one_more, Ended.REFUSED)
            self.pass_by(2.0)
            for key in keys:
                self.end(key, Ended.SERVED)


@pytest.mark.parametrize("slots", [1, 4, 9])
def test_slots_are_found_and_risk_begins_behind_them(slots: int) -> None:
    subnet = Subnet()
    subnet.full_of(slots)
    assert subnet.estimate.slots.mean() == pytest.approx(slots, abs=0.8)
    risks = [subnet.estimate.risk(others) for others in range(slots + 6)]
    assert risks == sorted(risks)
    assert risks[slots - 1] < 0.1 < 0.6 < risks[-1]


def test_refusal_above_the_number_was_for_want_of_a_slot_and_one_far_below_was_not() -> None:
    subnet = Subnet()
    subnet.full_of(9)
    alone = subnet.begin()
    subnet.pass_by(2.0)
    assert subnet.end(alone, Ended.REFUSED) < 0.3
    crowd = [subnet.begin() for _ in range(10)]
    subnet.pass_by(2.0)
    assert subnet.end(crowd[-1], Ended.REFUSED) > 0.9


def test_refusals_at_once_of_a_gateway_that_keeps_tries_say_little_of_slots() -> None:
    subnet = Subnet()
    subnet.full_of(9)
    before = subnet.estimate.slots.mean()
    for _ in range(20):
        kept, refused = subnet.begin(), subnet.begin()
        assert subnet.end(refused, Ended.REFUSED) < 0.1
        subnet.pass_by(4.0)
        subnet.end(kept, Ended.SERVED)
    assert subnet.estimate.slots.mean() == pytest.approx(before, rel=0.2)
    assert subnet.estimate.up


def test_when_all_is_refused_at_once_the_subnet_is_soon_down() -> None:
    subnet = Subnet()
    subnet.full_of(9)
    tries = 0
    while subnet.estimate.up and tries < 50:
        subnet.end(subnet.begin(), Ended.REFUSED)
        subnet.pass_by(0.5)
        tries += 1
    assert tries <= 10


def test_faults_are_not_fullness() -> None:
    subnet = Subnet()
    subnet.full_of(5)
    believed, health = subnet.estimate.slots.mean(), subnet.estimate.health.rate
    for _ in range(5):
        key = subnet.begin()
        subnet.pass_by(1.0)
        assert subnet.end(key, Ended.BROKEN) == 0.0
    assert subnet.estimate.slots.mean() == pytest.approx(believed, rel=0.2)
    assert subnet.estimate.health.rate < health - 0.01


def test_a_job_that_nobody_listens_to_holds_its_slot_for_as_long_as_jobs_take() -> None:
    subnet = Subnet()
    key = subnet.begin()
    subnet.pass_by(1.0)
    subnet.end(key, Ended.CANCELED)
    assert subnet.tries.places == 1
    subnet.pass_by(3.1)
    assert subnet.tries.places == 0


def test_beside_a_crowd_one_more_of_ones_own_makes_little_difference() -> None:
    subnet = Subnet()
    subnet.estimate.slots.lean([*[0.0] * 9, 1.0], 1.0)
    alone = [subnet.estimate.risk(others) for others in range(20)]
    subnet.estimate.peers.take({"others": told(0.0, 8.0)}, 0.0)
    crowded = [subnet.estimate.risk(others) for others in range(20)]
    assert crowded == sorted(crowded)
    assert max(b - a for a, b in pairwise(crowded)) < 0.1 < max(b - a for a, b in pairwise(alone))


def fallen(load: float) -> float:
    """By how many slots the estimate falls at a single refusal beside so many tries of others."""
    subnet = Subnet()
    subnet.estimate.peers.take({"others": told(0.0, load)}, 0.0)
    before = subnet.estimate.slots.mean()
    key = subnet.begin()
    subnet.pass_by(0.5)
    subnet.pass_by(1.5)
    subnet.end(key, Ended.REFUSED)
    return before - subnet.estimate.slots.mean()


def test_refusal_in_a_crowd_may_be_the_others_doing() -> None:
    assert fallen(0.1) - 1.0 > fallen(8.0) > 0.0


def test_load_is_how_many_tries_begin_while_a_job_lasts() -> None:
    subnet = Subnet()
    for _ in range(400):
        subnet.end(subnet.begin(), Ended.CANCELED)
        subnet.pass_by(2.0)
    assert subnet.estimate.load == pytest.approx(2.0, rel=0.05)


def test_slot_that_nobody_else_seeks_displaces_nobody() -> None:
    subnet = Subnet()
    subnet.estimate.slots.lean([*[0.0] * 9, 1.0], 1.0)
    subnet.estimate.peers.take({"others": told(0.0, 0.0)}, 0.0)
    assert subnet.estimate.displaced(0, subnet.estimate.risk(0)) == pytest.approx(0.0, abs=1e-6)
    subnet.estimate.peers.take({"others": told(1.0, 9.0)}, 1.0)
    assert 0.2 < subnet.estimate.displaced(0, subnet.estimate.risk(0)) < 1.0
