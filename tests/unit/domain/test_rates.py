"""However many instances there are, and whatever becomes of their draws, a key's requests keep to its rate."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.domain.callers import Limits
from spillway.domain.rates import HOLD_S, WRONG_CLOCK_S, Allotment, Bucket, full, part
from spillway.errors import StoreUnavailable

SKEW_S = 2.0


@dataclass
class World:
    """Instances with clocks of their own before one bucket. A draw is one compare-and-set, so it is made at once."""

    limits: Limits
    offsets: list[float]
    now: float = 1000.0
    bucket: Bucket = field(init=False)
    held: list[Allotment] = field(init=False)
    admitted: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bucket = full(self.limits, self.now)
        self.held = [Allotment() for _ in self.offsets]

    def clock(self, place: int) -> float:
        return self.now + self.offsets[place]

    def ask(self, place: int) -> bool:
        if self.held[place].ask(self.clock(place)):
            self.admitted.append(self.now)
            return True
        return False

    def draw(self, place: int, *, waiting: int = 0, lost: bool = False) -> None:
        """A look at the bucket; `lost` where its reply never came."""
        one, now = self.held[place], self.clock(place)
        bucket, paid = self.bucket.filled(self.limits, now), one.owed
        count = one.wanted(bucket, waiting, now)
        left = bucket.drawn(count, str(place), now)
        if count:
            self.bucket = left
        if not lost:
            one.got(count, paid, left, self.limits, now)

    def serve(self, place: int) -> bool:
        """A request, as the service treats it where the store answers at once."""
        if self.ask(place):
            if self.held[place].is_low(self.clock(place)):
                self.draw(place)
            return True
        if self.clock(place) < self.held[place].empty_until:
            return False
        self.draw(place, waiting=1)
        if self.held[place].use(self.clock(place)):
            self.admitted.append(self.now)
            return True
        return False

    def check(self) -> None:
        """The bound, over every stretch of time."""
        rate = self.limits.rate or 0.0
        more = rate * (HOLD_S + max(self.offsets) - min(self.offsets)) + self.limits.burst + len(self.held)
        # How far the count was behind the rate at most, at any beginning so far.
        lowest = math.inf
        for before, at in enumerate(self.admitted):
            lowest = min(lowest, before - rate * at)
            assert before + 1 - rate * at - lowest <= more + 1e-6


LIMITS = st.builds(Limits, st.sampled_from([0.1, 1.0, 5.0, 50.0]), st.sampled_from([1, 3, 20]))
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 2.5, 30.0]),
        st.integers(0, 2),
        st.sampled_from(["serve", "serve", "serve", "ask", "draw", "lost"]),
        st.sampled_from([1, 8, 40]),
    ),
    min_size=10,
    max_size=40,
)


@given(LIMITS, st.lists(st.floats(0, SKEW_S), min_size=1, max_size=3), STEPS)
@settings(max_examples=100)
def test_the_bound_holds_whatever_happens(
    limits: Limits, offsets: list[float], steps: list[tuple[float, int, str, int]]
) -> None:
    world = World(limits, offsets)
    for passed_s, any_place, what, times in steps:
        world.now += passed_s
        place = any_place % len(offsets)
        for _ in range(times):
            if what == "serve":
                world.serve(place)
            elif what == "ask":
                world.ask(place)
            else:
                world.draw(place, waiting=3, lost=what == "lost")
    world.check()


@pytest.mark.parametrize("instances", [1, 2, 8])
@pytest.mark.parametrize(("rate", "burst"), [(1.0, 1), (5.0, 10), (100.0, 100)])
def test_a_flood_gets_its_rate_and_no_more(instances: int, rate: float, burst: int) -> None:
    world = World(Limits(rate, burst), [0.0] * instances)
    for tick in range(3000):
        world.now = 1000.0 + tick / 100
        for _ in range(3):
            world.serve(tick % instances)
    assert 0.95 * (rate * 30 + burst) - 2 <= len(world.admitted) <= rate * (30 + HOLD_S) + burst + instances
    world.check()


def test_whoever_keeps_to_the_rate_is_never_refused() -> None:
    world = World(Limits(5.0, 5), [0.0, 0.0])
    for tick in range(300):
        world.now = 1000.0 + tick * 0.2 + 1e-6
        assert world.serve(tick % 2)


def test_a_burst_goes_through_at_once_after_a_rest() -> None:
    world = World(Limits(1.0, 10), [0.0])
    assert [world.serve(0) for _ in range(12)] == [True] * 10 + [False] * 2
    world.now += 60.0
    assert sum(world.serve(0) for _ in range(12)) == 10


def test_an_instance_that_is_slow_to_ask_takes_nothing_ahead() -> None:
    world = World(Limits(0.1, 2), [0.0, 0.0])
    world.serve(0)
    assert world.bucket.level == 1.0


def test_tokens_that_were_not_used_are_dropped_one_by_one() -> None:
    held, limits = Allotment(), Limits(10.0, 10)
    held.got(2, 0, full(limits, 0.0), limits, 0.0)
    held.got(3, 0, full(limits, 1.0), limits, 1.0)
    assert [held.stock(now) for now in (1.0, HOLD_S, HOLD_S + 0.1, HOLD_S + 1.1)] == [5, 5, 3, 0]


def test_a_clock_that_was_set_back_makes_no_tokens() -> None:
    held, limits = Allotment(), Limits(10.0, 10)
    held.got(2, 0, full(limits, 100.0), limits, 100.0)
    assert held.stock(50.0) == 0
    assert Bucket(1.0, 100.0).filled(limits, 50.0) == Bucket(1.0, 100.0)


def test_a_clock_that_was_far_ahead_does_not_stop_the_bucket_for_ever() -> None:
    limits = Limits(1.0, 10)
    held_up = Bucket(0.0, 1e9).filled(limits, 1e9 - 2 * WRONG_CLOCK_S)
    assert held_up.filled(limits, 1e9 - 2 * WRONG_CLOCK_S + 5.0).level == 5.0


def test_a_bucket_is_kept_as_it_was() -> None:
    bucket = Bucket(1.5, 2.0, {"a": 1.0})
    assert Bucket.read(bucket.body()) == bucket
    with pytest.raises(StoreUnavailable):
        Bucket.read({**bucket.body(), "version": 2})


@pytest.mark.parametrize(("rate", "burst"), [(1000.0, 1000), (1000.0, 2), (20.0, 20)])
def test_a_flood_does_not_look_at_the_bucket_at_every_token(rate: float, burst: int) -> None:
    world = World(Limits(rate, burst), [0.0])
    looks = 0
    for tick in range(10_000):
        world.now = 1000.0 + tick / 1000
        before = world.bucket
        world.serve(0)
        looks += world.bucket is not before
    assert looks <= 10 * max(8.0, 2 * rate / burst)


def test_a_bucket_forgets_instances_that_took_nothing_lately() -> None:
    bucket = Bucket(10.0, 0.0).drawn(1, "a", 0.0).drawn(1, "b", 50.0).drawn(1, "c", 100.0)
    assert set(bucket.takers) == {"b", "c"}


def test_the_parts_of_all_instances_are_the_rate() -> None:
    own = part(Limits(6.0, 9), 3)
    assert (own.rate, own.burst) == (2.0, 3)
    assert part(Limits(1.0, 1), 5).burst == 1
    assert math.isclose(5 * (part(Limits(1.0, 1), 5).rate or 0), 1.0)
