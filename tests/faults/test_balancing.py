"""Rounds over a simulated Replicate that is slow, limits calls, fails half-way and lies; rounds that die anywhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from simulator import ReplicateApi
from simulator.catalogue import Deployment
from spillway.adapters.http import HttpPool
from spillway.adapters.memory_store import MemoryStore
from spillway.adapters.replicate_deployments import ReplicateDeployments
from spillway.domain.budget import date_of
from spillway.domain.tally import FOLDER as TALLIES
from spillway.domain.tally import RETIRE_S, RETIRED, Counts, Tally, merged
from spillway.domain.warm import WarmTerms
from spillway.errors import SpillwayError, StoreUnavailable
from spillway.ports.deployments import Scale
from spillway.services.balancing import STATE, Balancing, Report
from spillway.services.chronicling import MINUTES
from spillway.services.exchange import BALANCER, TARGETS
from spillway.services.scaling import Outlook
from spillway.services.spending import Spending
from spillway.services.warm_places import Change, WarmPlace

NAME, MODEL, ROUTE = "acme/mine", "black-forest-labs/flux-schnell", "text-to-image *"
PLACE = f"replicate {NAME}"
EPOCH = 1_790_000_000.0
TERMS = WarmTerms(0.001, 30.0, usd_per_second=0.02, service_s=4.0, max_instances=4, billed="online")


@dataclass
class Rounds:
    """A front door that publishes, a balancer that is asked every minute, and the bill that the provider keeps."""

    api: ReplicateApi
    store: MemoryStore
    deployments: ReplicateDeployments
    options: dict[str, Any] = field(default_factory=dict)
    place: dict[str, Any] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    warm_s: dict[str, float] = field(default_factory=dict)
    wrong_s: float = 0.0

    def now(self) -> float:
        """The simulated time, as everyone's clock; `wrong_s` is how wrong it is."""
        return EPOCH + self.api.clock.now() + self.wrong_s

    @property
    def least(self) -> int:
        """How many are kept warm in truth."""
        return self.api.catalogue.deployments[NAME].min_instances

    def balancing(self, **options: Any) -> Balancing:
        """A process that knows nothing of the ones before it."""
        place = {"terms": TERMS, "usd_per_job": 0.003, "always_warm": False, **self.place}
        places = [WarmPlace(PLACE, ROUTE, NAME, self.deployments, **place)]
        given = {"within_s": 5.0, **self.options, **options}
        return Balancing(self.store, places, {"replicate": self.deployments}, epoch=self.now, **given)

    async def publish(self, jobs: int) -> None:
        """Jobs that fell back in the last minute."""
        for place in range(jobs):
            self.tally.place(PLACE).start(self.now() - 60.0 * (jobs - place) / jobs, seconds=4.0, served=True)
        self.tally.route(ROUTE).add(Counts(requests=jobs, hosted_starts=jobs, hosted_served=jobs))
        await self.store.write(TALLIES, "one", self.tally.body(self.now()))

    def skip(self, seconds: float) -> None:
        """Time passes; what was warm meanwhile is on the provider's bill of the day."""
        before = self.api.catalogue.kept_warm_s
        self.api.clock.skip(seconds)
        day = date_of(int(self.now() // 86400))
        self.warm_s[day] = self.warm_s.get(day, 0.0) + self.api.catalogue.kept_warm_s - before

    async def minutes(self, count: int, jobs: int = 0) -> list[Report]:
        """So many rounds."""
        reports = []
        for _ in range(count):
            await self.publish(jobs)
            reports.append(await self.balancing().round())
            self.skip(60.0)
        return reports

    async def state(self) -> dict[str, Any]:
        """What the balancer has kept."""
        found = await self.store.read(BALANCER, STATE)
        assert found is not None
        return found.body


@asynccontextmanager
async def balancing(least: int = 0, **options: Any) -> AsyncIterator[Rounds]:
    api = ReplicateApi(deployments={NAME: Deployment(MODEL, least, 4)}, usd_per_warm_second=TERMS.usd_per_warm_second)
    pool = HttpPool()
    async with api.serve(), aclosing(pool):
        deployments = ReplicateDeployments(pool, base_url=api.url, token=api.token, try_s=0.15, call_s=0.3)
        there = Rounds(api, MemoryStore(), deployments, options)
        there.store = MemoryStore(epoch=there.now)
        yield there


async def test_warm_instances_follow_the_overflow_up_and_down_to_zero() -> None:
    async with balancing() as there:
        await there.minutes(20, jobs=2)
        assert there.least >= 1
        await there.minutes(130)
        assert there.least == 0
        kept = await there.state()
        assert [(change["what"], change["error"]) for change in kept["changes"]][:1] == [("least", "")]
        assert all(change["why"] for change in kept["changes"])
        targets = await there.store.read(BALANCER, TARGETS)
        assert targets is not None
        assert targets.body["places"][PLACE]["least"] == 0


async def test_nothing_is_kept_where_waiting_is_cheap() -> None:
    async with balancing() as there:
        there.place = {"terms": replace(TERMS, usd_per_second=0.0002, billed="kept")}
        await there.minutes(40, jobs=5)
        assert there.api.catalogue.kept_warm_s == 0


async def test_the_always_warm_model_is_used_where_it_is_cheaper_and_it_is_said_why() -> None:
    async with balancing(least=2) as there:
        there.place = {"always_warm": True}
        await there.minutes(10, jobs=2)
        kept = (await there.state())["warm"]["places"][PLACE]
        assert (kept["way"], there.least) == ("model", 0)
        assert "0.0030 on the always-warm model" in kept["way_why"]


async def test_a_deployment_is_used_where_it_is_cheaper_than_the_always_warm_model() -> None:
    async with balancing() as there:
        there.place = {"always_warm": True, "usd_per_job": 0.5, "terms": replace(TERMS, usd_per_second=0.0002)}
        await there.minutes(20, jobs=30)
        kept = await there.state()
        assert kept["warm"]["places"][PLACE]["way"] == "deployment"
        assert [change["after"] for change in kept["changes"] if change["what"] == "way"] == ["deployment"]


@pytest.mark.parametrize(
    "faults",
    [
        [{"kind": "error", "method": "PATCH"}],
        [{"kind": "ignored", "probability": 0.6}],
        [{"kind": "status", "status": 429, "retry_after": 30.0, "probability": 0.3}],
        [{"kind": "status", "status": 500, "probability": 0.5}],
        [{"kind": "cut", "probability": 0.4}],
        [{"kind": "reset", "probability": 0.4}, {"kind": "error", "method": "PATCH", "probability": 0.5}],
    ],
    ids=["500 but made", "200 but not made", "429", "500", "cut", "all sorts"],
)
async def test_faults_only_put_things_off_and_the_bill_stays_within_the_cap(faults: list[dict[str, Any]]) -> None:
    async with balancing() as there:
        cap = 2.0
        spending = Spending(there.store, cap, epoch=there.now)
        there.options["budget"] = spending
        for fault in faults:
            there.api.faults.add(**fault)
        await there.minutes(60, jobs=3)
        await there.minutes(10)
        assert max(there.warm_s.values()) * TERMS.usd_per_warm_second <= cap
        there.api.faults.clear()
        await there.minutes(60)
        assert there.least == 0
        counted = (await there.state())["warm"]["bill"]["usd"]
        for day, seconds in there.warm_s.items():
            assert counted.get(day, 0.0) >= seconds * TERMS.usd_per_warm_second - 1e-3
        await spending.close()


@pytest.mark.parametrize("cap", [0.0, 0.7, 1.5, 4.0])
async def test_the_bill_never_passes_the_days_money(cap: float) -> None:
    async with balancing(budget=None) as there:
        spending = Spending(there.store, cap, epoch=there.now)
        there.options["budget"] = spending
        await there.minutes(90, jobs=20)
        assert max(there.warm_s.values()) * TERMS.usd_per_warm_second <= cap
        assert there.least == 0 or cap == 4.0
        await spending.close()


@pytest.mark.parametrize("fault", [{"kind": "ignored"}, {"kind": "status", "status": 500}], ids=["lies", "fails"])
async def test_what_can_not_be_let_go_stays_on_the_bill(fault: dict[str, Any]) -> None:
    async with balancing(least=3) as there:
        there.api.faults.add(**fault)
        reports = await there.minutes(5)
        assert there.least == 3
        counted = sum((await there.state())["warm"]["bill"]["usd"].values())
        assert counted >= 3 * 240 * TERMS.usd_per_warm_second - 1e-3
        assert all(report.changes[0].error for report in reports)
        there.api.faults.clear()
        await there.minutes(1)
        assert there.least == 0


@pytest.mark.parametrize("wrong_s", [3600.0, 10 * 86400.0, -3600.0, -10 * 86400.0])
async def test_a_clock_that_was_wrong_for_a_round_is_got_over(wrong_s: float) -> None:
    async with balancing() as there:
        await there.minutes(15, jobs=20)
        kept = there.least
        there.wrong_s = wrong_s
        await there.balancing().round()
        there.wrong_s = 0.0
        there.warm_s.clear()
        before = (await there.state())["warm"]["bill"]["usd"]
        await there.minutes(20, jobs=20)
        assert there.least >= kept > 0
        after = (await there.state())["warm"]["bill"]["usd"]
        ((today, warm_s),) = there.warm_s.items()
        assert after[today] - before.get(today, 0.0) >= warm_s * TERMS.usd_per_warm_second - 0.3
        assert max(after) == today
        await there.minutes(130)
        assert there.least == 0


async def test_nothing_is_ordered_by_a_clock_that_is_off_the_stores() -> None:
    async with balancing(least=3) as there:
        there.store = MemoryStore(epoch=lambda: there.now() - 7200.0)
        report = await there.balancing().round()
        assert report.problems == ["this clock is +7200 s off the store's: nothing is done"]
        assert there.least == 3
        there.store = MemoryStore(epoch=there.now)
        assert (await there.balancing().round()).problems == []
        assert there.least == 0


async def test_money_that_ends_is_said_to_be_why() -> None:
    async with balancing() as there:
        spending = Spending(there.store, 1.5, epoch=there.now)
        there.options["budget"] = spending
        await there.minutes(40, jobs=20)
        whys = {change["why"] for change in (await there.state())["changes"]}
        assert any("the day's money holds" in why for why in whys)
        await spending.close()


class DyingStore:
    """A store whose process is killed at its n-th call."""

    def __init__(self, store: MemoryStore, calls: int):
        self._store, self._calls = store, calls

    def __getattr__(self, name: str) -> Any:
        self._calls -= 1
        if self._calls < 0:
            raise asyncio.CancelledError
        return getattr(self._store, name)


class Interrupted:
    """Deployments at which something happens in the middle of a call."""

    def __init__(self, deployments: ReplicateDeployments, *, looking: Any = None, asking: Any = None):
        self._deployments, self._looking, self._asking = deployments, looking, asking

    async def scale(self, name: str) -> Scale:
        """As the port."""
        if self._looking:
            await self._looking()
        return await self._deployments.scale(name)

    async def set_scale(self, name: str, scale: Scale) -> Scale:
        """As the port."""
        found = await self._deployments.set_scale(name, scale)
        if self._asking:
            await self._asking()
        return found


async def test_what_was_ordered_is_on_the_bill_of_a_round_that_died_before_it_knew() -> None:
    async def die() -> None:
        raise asyncio.CancelledError

    async with balancing() as there:
        real = there.deployments
        there.deployments = Interrupted(real, asking=die)  # type: ignore[assignment]
        with pytest.raises(asyncio.CancelledError):
            await there.minutes(30, jobs=20)
        assert there.least > 0
        standing = (await there.state())["warm"]["bill"]["standings"][PLACE]
        assert standing["most_warm"] >= there.least
        there.deployments = real
        there.skip(120.0)
        await there.minutes(130)
        assert there.least == 0


async def test_a_round_that_another_has_overtaken_orders_nothing() -> None:
    async with balancing() as there:
        await there.minutes(14, jobs=20)
        before, kept = there.least, await there.state()

        async def overtake() -> None:
            await there.store.write(BALANCER, STATE, {**kept, "overtaken": True})

        real = there.deployments
        there.deployments = Interrupted(real, looking=overtake)  # type: ignore[assignment]
        there.skip(3600.0)
        report = await there.balancing().round()
        assert report.problems == [f"{BALANCER}/{STATE} was changed meanwhile"]
        assert (there.least, report.changes) == (before, [])
        assert (await there.state())["overtaken"]


@pytest.mark.parametrize("calls", range(2, 14, 2))
async def test_a_round_that_is_killed_anywhere_leaves_nothing_warm_for_good(calls: int) -> None:
    async with balancing() as there:
        await there.minutes(15, jobs=20)
        real, there.store = there.store, DyingStore(there.store, calls)  # type: ignore[assignment]
        with pytest.raises(asyncio.CancelledError):
            for _ in range(9):
                await there.balancing().round()
                there.skip(60.0)
        there.store = real
        there.skip(120.0)
        await there.minutes(130)
        assert there.least == 0
        assert there.api.instances(NAME) == 0


async def test_a_lost_state_is_made_up_from_what_the_provider_says() -> None:
    async with balancing(least=3) as there:
        await there.minutes(2)
        assert there.least == 0
        await there.minutes(15, jobs=20)
        await there.store.write(BALANCER, STATE, {"version": 7})
        await there.minutes(130)
        assert there.least == 0


@pytest.mark.parametrize(
    ("folder", "key", "body"),
    [
        (BALANCER, "lease", {"until": "soon"}),
        (BALANCER, "lease", {"until": None}),
        (BALANCER, STATE, {"version": 1, "warm": 7, "targets": [], "scalers": 9, "changes": {}}),
        (BALANCER, STATE, {"version": 1, "warm": {"places": {PLACE: 1}, "bill": 7}, "targets": {ROUTE: 7}}),
        (BALANCER, "history", {"version": 1, "rows": [[1, 2, 3]]}),
        (TALLIES, "another", {"version": 1, "at": "noon", "routes": 7}),
        (TALLIES, RETIRED, {"version": 9}),
        (MINUTES, "another", {"version": 1}),
    ],
)
async def test_a_document_that_makes_no_sense_stops_no_round(folder: str, key: str, body: dict[str, Any]) -> None:
    async with balancing(least=3) as there:
        await there.store.write(folder, key, body)
        report = await there.balancing().round()
        assert (report.skipped, report.problems) == ("", [])
        assert there.least == 0


async def test_a_deployment_whose_route_is_gone_is_let_go() -> None:
    async with balancing() as there:
        await there.minutes(15, jobs=20)
        assert there.least > 0
        rounds = Balancing(there.store, [], {"replicate": there.deployments}, epoch=there.now)
        report = await rounds.round()
        assert (there.least, report.changes[0].why) == (0, "its route is gone")
        assert (await there.state())["warm"]["bill"]["standings"] == {}


async def test_two_rounds_at_once_are_one() -> None:
    async with balancing() as there:
        await there.publish(5)
        there.api.faults.add("slow_first_byte", delay_s=0.05)
        reports = await asyncio.gather(there.balancing().round(), there.balancing().round())
        assert sorted(report.skipped for report in reports) == ["", "another round is under way"]


async def test_a_round_ends_in_its_time_and_the_next_one_leads() -> None:
    async with balancing(within_s=0.3) as there:
        there.deployments._api._try_s = there.deployments._api._call_s = 10.0
        there.api.faults.add("hang")
        async with asyncio.timeout(1.5):
            report = await there.balancing().round()
        assert report.problems == ["the round was cut off after 0.3 s"]
        there.api.faults.clear()
        assert (await there.balancing(within_s=5.0).round()).skipped == ""


async def test_a_lease_that_was_not_left_ends_by_itself() -> None:
    async with balancing() as there:
        await there.store.write(BALANCER, "lease", {"holder": "dead", "until": there.now() + 60.0})
        assert (await there.balancing().round()).skipped
        there.skip(61.0)
        assert not (await there.balancing().round()).skipped


class NoStore:
    """A store that nobody can reach."""

    async def read(self, folder: str, key: str) -> None:
        raise StoreUnavailable("the store is down")


async def test_without_a_store_nothing_is_kept_warm_for_long() -> None:
    async with balancing(least=2) as there:
        there.store = NoStore()  # type: ignore[assignment]
        rounds = there.balancing()
        reports = [await rounds.round() for _ in range(3)]
        assert reports[0].problems == ["the store is down"]
        assert there.least == 0


async def test_instances_that_are_gone_are_folded_once() -> None:
    async with balancing() as there:
        await there.minutes(3, jobs=4)
        there.skip(RETIRE_S + 60)
        await there.balancing().round()
        documents = {one.key: one.body for one in await there.store.list(TALLIES)}
        assert list(documents) == [RETIRED]
        assert merged(documents).routes[ROUTE].requests == 12


async def test_a_subnet_that_fails_loses_its_share_and_wins_it_back() -> None:
    async with balancing() as there:
        counts = there.tally.route(ROUTE)
        shares = []
        for good, bad in [(9, 1)] * 5 + [(0, 10)] * 3 + [(10, 0)] * 20:
            counts.add(Counts(requests=10, subnet_tries=10, subnet_served=good, faults=bad))
            (report,) = await there.minutes(1)
            shares.append(report.targets["routes"][ROUTE]["target"])
        assert shares[4] == 1.0
        assert min(shares) < 0.1
        assert shares[-1] == 1.0
        proofs = report.targets["routes"][ROUTE]["proofs"]
        assert proofs["1h"]["success"]["low"] < proofs["1h"]["success"]["rate"] < proofs["1h"]["success"]["high"]
        assert (await there.state())["changes"][0]["what"] == "target share"


class Machines:
    """Something else that is scaled."""

    name = "burst"

    def __init__(self, error: SpillwayError | None = None):
        self.error = error
        self.seen: list[Any] = []

    async def round(self, outlook: Outlook, state: Any, keep: Any) -> tuple[dict[str, Any], list[Change]]:
        """As the port."""
        self.seen.append((dict(state), outlook.history.lack(ROUTE, outlook.now)))
        await keep({"rounds": state.get("rounds", 0) + 1, "asked": True})
        if self.error:
            raise self.error
        return {"rounds": state.get("rounds", 0) + 1}, [Change("burst", "machines", "0", "1", "refusals persist")]


async def test_others_are_scaled_in_the_same_round_with_a_state_of_their_own() -> None:
    async with balancing() as there:
        machines, broken = Machines(), Machines(StoreUnavailable("nobody is there"))
        broken.name = "broken"
        there.options["scalers"] = [broken, machines]
        there.tally.route(ROUTE).add(Counts(requests=5, subnet_tries=5, refused=5))
        reports = await there.minutes(2, jobs=3)
        assert [state for state, _ in machines.seen] == [{}, {"rounds": 1}]
        assert machines.seen[1][1].overflow_per_s == pytest.approx(3 / 60, rel=0.2)
        assert reports[0].problems == ["broken: nobody is there"]
        assert (await there.state())["scalers"] == {"broken": {"rounds": 2, "asked": True}, "burst": {"rounds": 2}}


async def test_the_documents_stay_small() -> None:
    async with balancing() as there:
        for n in range(20):
            there.tally.route(f"pipeline-{n} *").add(Counts(requests=n, usd=0.123456 * n))
        for hour in range(24):
            await there.minutes(10, jobs=hour % 5)
            there.skip(3000.0)
        state, history = await there.state(), await there.store.read(BALANCER, "history")
        assert history is not None
        assert len(state["changes"]) <= 200
        assert len(history.body["rows"]) <= 62 + 98 + 170
        assert len(str(history.body)) < 300_000
        assert len(str(state)) < 200_000
