"""Who asks to be left alone comes last for a while, whoever was told so."""

from dataclasses import replace
from typing import Any

from spillway.services.backends import LONGEST_REST_S, Backends

PLACE = "replicate black-forest-labs/flux-schnell"
NOTHING: Any = None


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def backends(clock: Clock) -> Backends:
    return Backends(NOTHING, None, {}, NOTHING, NOTHING, NOTHING, NOTHING, monotonic=clock, epoch=clock)


def test_a_place_rests_for_as_long_as_it_asked_but_not_for_ever() -> None:
    ours = backends(clock := Clock())
    ours.rest(PLACE, 5.0)
    assert (ours.rests(PLACE), ours.rests("replicate another")) == (True, False)
    clock.now += 5.0
    assert not ours.rests(PLACE)
    ours.rest(PLACE, 3600.0)
    clock.now += LONGEST_REST_S
    assert not ours.rests(PLACE)


def test_who_asked_for_no_rest_gets_none() -> None:
    ours = backends(Clock())
    ours.rest(PLACE, None)
    assert not ours.rests(PLACE)


def test_what_one_part_of_a_split_request_was_told_holds_for_all() -> None:
    ours = backends(Clock())
    part = replace(ours, ledger=NOTHING)
    part.rest(PLACE, 5.0)
    assert ours.rests(PLACE)
