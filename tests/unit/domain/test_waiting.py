"""Who waits for a slot, and whether it is worth it."""

from random import Random

import pytest

from spillway.domain.estimate import Estimate
from spillway.domain.open_tries import OpenTries
from spillway.domain.waiting import LONGEST_WAIT_S, OVERTIME, WAIT, WaitingLine
from spillway.domain.waste import Prices


def line_of(slots: int, prices: Prices | None = None) -> WaitingLine:
    """A line before a subnet that is sure to have so many slots, for jobs of four seconds."""
    estimate = Estimate("text-to-image", OpenTries())
    estimate.slots.lean([*([0.0] * slots), 1.0], 1.0)
    return WaitingLine(prices or Prices(), estimate, Random(1))


def joined(line: WaitingLine, now: float = 0.0) -> int:
    """How many join until it is not worth it any more."""
    for key in range(100):
        if not line.worth_joining(now):
            break
        line.join(key, now)
    return len(line)


def test_the_first_who_joins_is_the_first_who_is_called() -> None:
    line = line_of(9)
    for key in (1, 2, 3):
        line.join(key, 0.0)
    line.leave(2)
    assert [line.call(), line.call(), len(line)] == [1, 3, 0]


def test_half_a_job_is_waited_for_the_only_slot_and_no_more() -> None:
    assert joined(line_of(1)) == 1


@pytest.mark.parametrize(("slots", "waiting"), [(0, 0), (9, 7), (40, 14)])
def test_more_slots_make_a_longer_line(slots: int, waiting: int) -> None:
    assert joined(line_of(slots)) == pytest.approx(waiting, abs=1)


def test_nobody_joins_where_others_take_the_slots_that_come_free_before_it_is_his_turn() -> None:
    line = line_of(1)
    line._estimate.peers.take(
        {"other": {"version": 1, "at": 0.0, "slots": [0.0, 1.0], "job_s": [4.0, 6.0], "refusal_s": 2.0}}, 0.0
    )
    assert joined(line) == 0


@pytest.mark.parametrize("pressure", [0.0, 0.5, 1.0])
def test_who_waits_gives_up_half_as_long_again_after_what_was_worth_it(pressure: float) -> None:
    line = line_of(9)
    line.pressure = pressure
    line.join(1, 100.0)
    assert line.until == pytest.approx(100.0 + OVERTIME * WAIT * line._estimate.jobs.mean_s * (1 + 3 * pressure))


def test_scarce_money_makes_waits_longer_but_never_endless() -> None:
    calm, pressed = line_of(9), line_of(9)
    pressed.pressure = 1.0
    assert joined(calm) < joined(pressed)
    assert pressed.until <= OVERTIME * 4 * LONGEST_WAIT_S


def test_who_waits_pays_no_more_than_the_hosted_job_costs() -> None:
    line = line_of(9, Prices(per_second=0.01, per_job=0.001))
    assert joined(line) == 0
