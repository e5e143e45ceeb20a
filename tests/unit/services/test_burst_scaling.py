"""What a route lacks is reckoned from what front doors have counted and what the gateway says of its slots."""

from collections.abc import Mapping
from typing import Any

import pytest

from spillway.domain.burst import BurstTerms, Need
from spillway.domain.cloud_init import Secrets
from spillway.domain.history import History
from spillway.domain.routes import Fallback, Route
from spillway.domain.tally import Counts, Tally
from spillway.errors import Overflow
from spillway.services.burst_scaling import BurstRoute, BurstScaler
from spillway.services.bursting import Fleet, Report
from spillway.services.exchange import Capacities
from spillway.services.scaling import Outlook, State

PIPELINE, MODEL = "image-to-video", "stabilityai/stable-video-diffusion-img2vid-xt"
HOSTED = Fallback(provider="replicate", model="a/b", usd_per_job=0.06)
ROUTE = Route(pipeline=PIPELINE, model=MODEL, fallbacks=(HOSTED,))
TERMS = BurstTerms(machines=1, usd_per_hour=0.5, usd_per_day=5.0)


class Rounds:
    """In place of the machines: it takes down what each fleet needs."""

    def __init__(self) -> None:
        self.needs: list[Need] = []

    async def round(self, fleets: Mapping[str, Fleet], state: Mapping[str, Any]) -> tuple[State, Report]:
        """As Bursting."""
        self.needs += [fleet.need for fleet in fleets.values()]
        return {}, Report()


def outlook(minutes: int, **a_minute: float) -> Outlook:
    """So many minutes that were all alike."""
    history, total = History(), Tally()
    for minute in range(minutes + 1):
        history.add(60.0 * minute, total)
        total.route(f"{PIPELINE} {MODEL}").add(Counts(requests=1, **a_minute))
    return Outlook(60.0 * minutes, history, total)


async def need(seen: Outlook, capacities: Capacities | None) -> Need:
    """What the route needs by it."""
    rounds = Rounds()
    spec = TERMS.spec(PIPELINE, MODEL, Secrets())
    scaler = BurstScaler("tensordock", lambda _: rounds, [BurstRoute(ROUTE, TERMS, spec)], capacities)  # type: ignore[arg-type,return-value]

    async def keep(_: State) -> None:
        """Nothing is kept."""

    await scaler.round(seen, {}, keep)
    (found,) = rounds.needs
    return found


async def ten_slots() -> Mapping[tuple[str, str], int]:
    """A gateway's word."""
    return {(PIPELINE, MODEL): 10}


async def nothing() -> Mapping[tuple[str, str], int]:
    """A gateway that doesn't answer."""
    raise Overflow("the gateway's CLI port tells nothing")


FULL = {"subnet_served": 12, "subnet_s": 12 * 48.0, "hosted_starts": 3, "refused": 1}


async def test_lack_is_what_overflows_and_slots_are_free_that_no_job_holds() -> None:
    found = await need(outlook(20, **FULL), ten_slots)
    assert (found.overflow_per_s, found.refused_per_s, found.since) == (pytest.approx(0.05), pytest.approx(1 / 60), 0.0)
    assert (found.service_s, found.usd_per_job) == (48.0, 0.06)
    assert found.free_slots == pytest.approx(0.4)


async def test_machine_that_has_ended_the_lack_is_still_seen_to_work() -> None:
    found = await need(outlook(20, subnet_served=12, subnet_s=12 * 48.0), ten_slots)
    assert found.since is None
    assert found.free_slots == pytest.approx(0.4)


@pytest.mark.parametrize("capacities", [None, nothing])
async def test_free_slots_are_unknown_where_the_gateway_does_not_tell(capacities: Capacities | None) -> None:
    assert (await need(outlook(20, **FULL), capacities)).free_slots is None


async def test_instances_that_count_no_seconds_say_nothing_of_free_slots() -> None:
    assert (await need(outlook(20, subnet_served=12, refused=1), ten_slots)).free_slots is None


async def test_where_nobody_comes_all_slots_are_free() -> None:
    assert (await need(outlook(20), ten_slots)).free_slots == 10.0
