"""What is changed in a scenario before it is played."""

from spillway.simulation.changes import Changes
from support.simulated import scenario

FAULTS = [{"from": 0, "to": 30, "kind": "hang", "probability": 0.5}]


def test_without_changes_a_scenario_is_played_as_written() -> None:
    written = scenario(faults=FAULTS, prices={"per_try": 0.5, "per_second": 0.1}, slots=[[0, 2.5]])
    assert Changes().applied(written) == written


def test_demand_is_scaled_in_every_pipeline() -> None:
    changed = Changes(demand_scale=2.0).applied(scenario("a", "b", arrivals=[[0, 1], [30, 0.25]]))
    assert [load.arrivals for load in changed.pipelines] == [((0, 2), (30, 0.5))] * 2


def test_scaled_slots_are_whole() -> None:
    changed = Changes(slots_scale=0.5).applied(scenario(slots=[[0, 9], [30, 1], [40, 0]]))
    assert changed.pipelines[0].slots == ((0, 5), (30, 1), (40, 0))


def test_instances_seed_and_delay_are_replaced() -> None:
    changed = Changes(seed=5, instances=2, state_delay_s=3.0).applied(scenario())
    assert (changed.seed, changed.instances, changed.state_delay) == (5, 2, 3.0)


def test_one_price_can_change_and_the_other_stays() -> None:
    changed = Changes(usd_per_try=0.003).applied(scenario(prices={"per_try": 0.5, "per_second": 0.1}))
    assert (changed.pipelines[0].prices.per_try, changed.pipelines[0].prices.per_second) == (0.003, 0.1)


def test_hosted_inference_can_be_another() -> None:
    changed = Changes(usd_per_job=0.01, cold_start_s=0.0).applied(scenario(fallback={"seconds": 7, "cold_start": 30}))
    hosted = changed.pipelines[0].fallback
    assert (hosted.seconds, hosted.cold_start, hosted.usd_per_job) == (7, 0.0, 0.01)


def test_faults_that_do_not_happen_keep_their_dice() -> None:
    (load,) = Changes(faults=False).applied(scenario(faults=FAULTS)).pipelines
    assert [fault.probability for fault in load.faults] == [0.0]
