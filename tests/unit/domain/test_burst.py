"""When machines are rented, when they go, and that they never cost more than they may."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Cloud, Lies
from spillway.domain.budget import DAY_S
from spillway.domain.burst import BurstTerms, Machine, Need, plan
from spillway.domain.burst_book import Book, Sighting
from spillway.domain.machine_names import fleet_of, machine_name, read_name

NOW = 1_790_000_000.0
TERMS = BurstTerms(machines=3, usd_per_hour=0.5, usd_per_day=12.0, slots=1)
FLEET = fleet_of("text-to-image", "m")
REFUSED = Need(refused_per_s=0.5, since=NOW - 7200, overflow_per_s=0.25, usd_per_job=0.003, service_s=4.0, free_slots=0)
BUSY = Need(free_slots=0.0, usd_per_job=0.003, service_s=4.0)
QUIET = Need(free_slots=9.0, usd_per_job=0.003, service_s=4.0)


def verbs(machines: list[Machine], need: Need, terms: BurstTerms = TERMS, spent: float = 0.0) -> list[str]:
    return [order.verb for order in plan(NOW, machines, need, terms, spent)]


def serving(name: str = "m", *, age_s: float = 7200.0, **more: object) -> Machine:
    return Machine(name, NOW - age_s, "running", f"{name}:8935", True, NOW, **more)  # type: ignore[arg-type]


def test_refusals_that_last_start_a_machine() -> None:
    assert verbs([], REFUSED) == ["start"]


@pytest.mark.parametrize(
    ("lasted_s", "expected"), [(0.0, []), (600.0, []), (900.0, []), (960.0, ["start"]), (86400.0, ["start"])]
)
def test_a_machine_is_started_once_it_is_cheaper_than_the_fallback(lasted_s: float, expected: list[str]) -> None:
    """0.25 jobs a second at 0.003 USD are 2.7 USD an hour: 0.25 USD for the minimum run are earned in 333 s."""
    need = Need(refused_per_s=1, since=NOW - lasted_s, overflow_per_s=0.25, usd_per_job=0.003, service_s=4.0)
    assert expected == verbs([], need)


def test_cheap_hosted_jobs_start_nothing() -> None:
    need = Need(refused_per_s=1, since=NOW - 86400, overflow_per_s=0.25, usd_per_job=0.0005, service_s=4.0)
    assert verbs([], need) == []


def test_overflow_without_refusals_starts_nothing() -> None:
    need = Need(refused_per_s=0, since=None, overflow_per_s=9.0, usd_per_job=1.0)
    assert verbs([], need) == []


def test_as_many_machines_as_the_overflow_fills() -> None:
    need = Need(refused_per_s=1, since=NOW - 7200, overflow_per_s=0.5, usd_per_job=0.003, service_s=4.0)
    assert verbs([], need) == ["start", "start"]


def test_a_machine_that_boots_is_counted() -> None:
    booting = Machine("m", NOW - 60, "starting", "", False)
    assert verbs([booting], REFUSED) == []


def test_one_that_may_have_been_made_is_counted() -> None:
    assert verbs([Machine("m", NOW - 60, "missing", "", False)], REFUSED) == []


def test_never_more_than_the_cap() -> None:
    need = Need(refused_per_s=9, since=NOW - 86400, overflow_per_s=100.0, usd_per_job=1.0)
    assert verbs([], need) == ["start"] * 3
    assert verbs([serving(str(n)) for n in range(4)], need) == ["drain"]


def test_nothing_is_started_that_the_day_cannot_pay() -> None:
    assert verbs([], REFUSED, spent=11.7) == []
    assert verbs([], REFUSED, spent=11.5) == ["start"]


def test_nothing_is_started_that_tomorrow_cannot_pay() -> None:
    """A minute before midnight, nearly all of the minimum run and the farewell are on the next day's bill."""
    now = NOW - NOW % DAY_S + DAY_S - 60.0
    need = replace(REFUSED, since=now - 7200)
    whole_usd = TERMS.usd_per_s * (TERMS.minimum_run_s + TERMS.round_s + TERMS.farewell_s)
    for usd_per_day, starts in ((whole_usd, 1), (0.9 * whole_usd, 0)):
        terms = TERMS.model_copy(update={"usd_per_day": usd_per_day})
        assert len(plan(now, [], need, terms, 0.0)) == starts


def test_machines_go_before_the_money_is_gone() -> None:
    assert verbs([serving()], BUSY, spent=11.9) == ["drain"]
    assert verbs([serving()], BUSY, spent=11.7) == []


def test_a_machine_in_use_stays() -> None:
    assert verbs([serving()], BUSY) == []


def test_an_idle_machine_is_kept_for_as_long_as_a_boot_costs() -> None:
    assert verbs([serving()], QUIET) == ["idle"]
    assert verbs([serving(idle_since=NOW - 599)], QUIET) == ["idle"]
    assert verbs([serving(idle_since=NOW - 600)], QUIET) == ["drain"]


def test_an_idle_machine_has_its_minimum_run() -> None:
    assert verbs([serving(age_s=1700.0)], QUIET) == []


def test_drain_then_stop_then_delete() -> None:
    idle = NOW - 3600
    assert verbs([serving(idle_since=idle, draining_since=NOW - 179)], QUIET) == ["drain"]
    assert verbs([serving(idle_since=idle, draining_since=NOW - 180)], QUIET) == ["stop"]
    assert verbs([serving(stopped_at=NOW - 60)], QUIET) == []
    assert verbs([serving(stopped_at=NOW - 120)], QUIET) == ["delete"]
    assert verbs([Machine("m", NOW, "stopped", stopped_at=NOW - 1)], QUIET) == ["delete"]


def test_a_delete_is_repeated_while_the_machine_is_listed() -> None:
    assert verbs([serving(deleted_at=NOW - 1)], REFUSED)[0] == "delete"


def test_need_that_comes_back_ends_a_drain() -> None:
    assert verbs([serving(idle_since=NOW - 3600, draining_since=NOW - 10)], BUSY) == []


def test_a_machine_that_never_becomes_an_orchestrator_is_removed() -> None:
    never = Machine("m", NOW - 1500, "running", "m:8935", False)
    assert [(o.verb, o.reason) for o in plan(NOW, [never], REFUSED, TERMS, 0.0)] == [
        ("delete", "it never became an orchestrator")
    ]


def test_where_nobody_can_tell_nothing_is_removed_for_it() -> None:
    assert verbs([Machine("m", NOW - 3000, "running", "m:8935", None)], REFUSED) == []


def test_an_orchestrator_that_was_lost_sight_of_has_time_to_come_back() -> None:
    lost = Machine("m", NOW - 7200, "running", "m:8935", False, ready_at=NOW - 600)
    assert "delete" not in verbs([lost], BUSY)


def test_a_plan_repeated_is_the_same_plan() -> None:
    machines = [serving("a", idle_since=NOW - 900), serving("b"), Machine("c", NOW - 1600, "running", "c:1", False)]
    again = plan(NOW, machines[::-1], QUIET, TERMS, 1.0)
    assert set(plan(NOW, machines, QUIET, TERMS, 1.0)) == set(again)


@given(st.floats(0, 4e9), st.integers(0, 2**24 - 1))
def test_a_name_tells_its_time(now: float, seed: int) -> None:
    named = read_name(machine_name("prod", FLEET, now, Random(seed)))
    assert named is not None
    assert (named.deployment, named.fleet) == ("prod", FLEET)
    assert now - 1 < named.asked_at <= now


@pytest.mark.parametrize("name", ["web-1", "spillway-burst-prod", "spillway-burst-prod-abcdef-20261399t999999z-abcdef"])
def test_other_names_are_not_ours(name: str) -> None:
    assert read_name(name) is None


def test_a_deployment_is_not_taken_for_another_whose_name_begins_alike() -> None:
    named = read_name(machine_name("prod-eu", FLEET, NOW, Random(1)))
    assert named is not None
    assert named.deployment == "prod-eu"


def test_machines_that_never_served_put_the_next_start_off() -> None:
    book = Book()
    for n in range(2):
        book.ask(machine_name("prod", FLEET, NOW, Random(n)), FLEET, NOW, 0.5)
    for entry in book.machines.values():
        entry.until = NOW + 1500
    assert book.hold_until(FLEET, TERMS) == NOW + 1500 + 3000


def test_a_state_that_cannot_be_read_starts_nothing_this_day() -> None:
    book = Book.read({"machines": "none"}, NOW)
    assert book.hold_until(FLEET, TERMS) == NOW - NOW % DAY_S + DAY_S


def test_the_book_survives_its_store() -> None:
    book = Book()
    book.ask(machine_name("prod", FLEET, NOW, Random(1)), FLEET, NOW, 0.5)
    assert Book.read(book.write(), NOW) == book


class Days:
    """Rounds over a cloud that lies, with need and failures as they come; the state may be lost on the way to it."""

    def __init__(self, terms: BurstTerms, lies: Lies, seed: int, start_s: float) -> None:
        self.chance = Random(seed)
        self.cloud = Cloud(lambda: 0.0, Random(seed), epoch=NOW - NOW % DAY_S + start_s, boot_s=300.0)
        self.cloud.lies = lies
        self.terms, self.state = terms, Book().write()
        self.most_a_day = 0.0

    def round(self, need: Need, *, list_fails: bool = False, calls_fail: float = 0.0, dies: float = 0.0) -> None:
        """One round, which may end after any step."""
        if list_fails:
            return
        now, book = self.cloud.now(), Book.read(self.state, self.cloud.now())
        need = need if need.since is None else replace(need, since=now - NOW + need.since)
        seen = {m.name: Sighting(m.name, _word(status), f"{m.name}:1") for m, status in self.cloud.listed()}
        up = {machine.name for machine in self.cloud.serving()}
        book.observe(now, seen.values(), {FLEET: self.terms})
        book.judge(now, [name for name in seen if name in up])
        machines = book.machines_of(FLEET, seen, {name: name in up for name in seen})
        orders = plan(
            now, machines, need, self.terms, book.billed_usd(FLEET, now), hold_until=book.hold_until(FLEET, self.terms)
        )
        book.note(now, orders, FLEET)
        for order in orders:
            if self.chance.random() < dies:
                return
            self.carry_out(order.verb, order.name, book, failing=self.chance.random() < calls_fail)
        self.state = book.write()

    def carry_out(self, verb: str, name: str, book: Book, *, failing: bool) -> None:
        """One call; one that fails may have done its work all the same."""
        if verb == "start":
            name = machine_name("prod", FLEET, self.cloud.now(), self.chance)
            book.ask(name, FLEET, self.cloud.now(), self.terms.usd_per_hour)
            self.state = book.write()
            if not failing or self.chance.random() < 0.5:
                self.cloud.rent(name, self.terms.usd_per_hour, {}, broken=False, stuck=self.chance.random() < 0.2)
        machine = self.cloud.find(name)
        if machine and not failing and verb in {"stop", "delete"}:
            (self.cloud.stop if verb == "stop" else self.cloud.delete)(machine)

    def pass_time(self, seconds: float) -> None:
        """Until the next round; the day's bill is looked at each minute."""
        end = self.cloud.now() + seconds
        while self.cloud.now() < end:
            self.cloud.skip(min(60.0, end - self.cloud.now()))
            day = self.cloud.now() - self.cloud.now() % DAY_S
            self.most_a_day = max(self.most_a_day, self.cloud.usd(day), self.cloud.usd(day - DAY_S, day))


def _word(status: str) -> str:
    return {"error": "failed", "deleted": "deleting"}.get(status, status)


LIES = st.builds(
    Lies,
    runs_early=st.sampled_from([0.0, 1.0]),
    runs_after_delete_s=st.sampled_from([0.0, 600.0]),
    delete_repeats=st.integers(0, 2),
    stale_list_s=st.sampled_from([0.0, 30.0, 200.0]),
    delete_s=st.sampled_from([0.0, 120.0]),
)
NEEDS = st.sampled_from([QUIET, BUSY, REFUSED, Need(9, NOW - DAY_S, 5.0, 0.05, 4.0, 0.0), Need()])


@settings(max_examples=60)
@given(
    lies=LIES,
    seed=st.integers(0, 2**16),
    start_s=st.sampled_from([0.0, 40_000.0, 80_000.0, 85_000.0]),
    needs=st.lists(NEEDS, min_size=1, max_size=8),
    usd_per_day=st.sampled_from([0.3, 0.7, 1.0, 2.5, 6.0]),
    calls_fail=st.sampled_from([0.0, 0.3]),
    dies=st.sampled_from([0.0, 0.2]),
)
def test_cap_and_bill_hold_whatever_happens_and_nothing_stays(
    lies: Lies, seed: int, start_s: float, needs: list[Need], usd_per_day: float, calls_fail: float, dies: float
) -> None:
    """Calls fail only where a repeated one can still come in time: a delete has `removal_s` to be true."""
    terms = TERMS.model_copy(update={"usd_per_day": usd_per_day, "round_s": 120.0})
    days = Days(terms, lies, seed, start_s)
    for need in needs:
        for _ in range(45):
            days.round(need, list_fails=days.chance.random() < calls_fail / 10, calls_fail=calls_fail, dies=dies)
            days.pass_time(60.0)
    assert days.cloud.most_at_once <= terms.machines
    assert days.most_a_day <= usd_per_day + 1e-6
    for _ in range(150):
        days.round(Need())
        days.pass_time(60.0)
    assert days.cloud.paid_for() == []
    assert days.most_a_day <= usd_per_day + 1e-6


@settings(max_examples=40)
@given(lies=LIES, seed=st.integers(0, 2**16), needs=st.lists(NEEDS, min_size=1, max_size=6))
def test_the_books_bill_is_never_below_the_clouds(lies: Lies, seed: int, needs: list[Need]) -> None:
    days = Days(TERMS, lies, seed, 40_000.0)
    for need in needs:
        for _ in range(30):
            days.round(need, calls_fail=0.3, dies=0.1)
            booked = Book.read(days.state, days.cloud.now()).billed_usd(FLEET, days.cloud.now())
            late = sum(m.usd_per_hour for m in days.cloud.paid_for()) / 3600 * lies.stale_list_s
            assert booked + late >= days.cloud.usd(days.cloud.now() - days.cloud.now() % DAY_S) - 1e-6
            days.pass_time(60.0)


@pytest.mark.parametrize("lost", [True, False])
def test_a_lost_state_orphans_nothing(lost: bool) -> None:
    days = Days(TERMS, Lies(), 1, 40_000.0)
    days.round(REFUSED)
    assert len(days.cloud.paid_for()) == 1
    if lost:
        days.state = {}
    for _ in range(120):
        days.round(QUIET)
        days.pass_time(60.0)
    assert days.cloud.paid_for() == []
