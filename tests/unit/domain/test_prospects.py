"""What a caller is told who has to come back follows from what is believed, and from who else wants a slot."""

from random import Random

import pytest

from spillway.domain.controller import Ended
from spillway.domain.pace import JobPace
from spillway.domain.policy import SubnetPolicy
from spillway.domain.prospects import slot_in_s
from spillway.domain.waste import Prices

JOB_S = 4.0


def policy_of(slots: int) -> SubnetPolicy:
    """One that is sure of so many slots."""
    policy = SubnetPolicy("text-to-image", Prices(), Random(1), patience_s=30.0)
    policy.tick(0.0)
    policy.estimate.slots.lean([*([0.0] * slots), 1.0], 1.0)
    policy.estimate.jobs = JobPace(JOB_S, 1.5 * JOB_S)
    return policy


@pytest.mark.parametrize(("slots", "seconds"), [(1, JOB_S), (4, JOB_S / 4), (8, JOB_S / 8)])
def test_a_slot_of_many_comes_free_sooner(slots: int, seconds: float) -> None:
    assert slot_in_s(policy_of(slots), 0.0) == pytest.approx(seconds)


@pytest.mark.parametrize(("per_second", "jobs"), [(2, 2.0), (8, 8.0)])
def test_the_more_ask_for_a_slot_the_longer_it_takes_until_one_gets_it(per_second: float, jobs: float) -> None:
    policy, until_s = policy_of(4), 1000.0
    for nth in range(int(until_s * per_second)):
        policy.line.demand.came(nth / per_second, JOB_S)
    # Of those who come in the time of a job, four get a slot.
    assert slot_in_s(policy, until_s) == pytest.approx(jobs * JOB_S, rel=0.2)


def test_a_subnet_that_is_down_is_looked_at_first() -> None:
    policy = policy_of(4)
    for key in range(40):
        policy.force(key, key * 0.1)
        policy.ended(key, Ended.UNREACHABLE, key * 0.1 + 0.05)
    assert not policy.up
    assert slot_in_s(policy, 4.0) == pytest.approx(JOB_S + policy.probing.next_at - 4.0)
