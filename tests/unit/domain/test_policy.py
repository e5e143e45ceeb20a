"""Whether the subnet is tried."""

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.policy import DOWN_AFTER, LONGEST_REST_S, MODELS_PER_ROUTE, Policies, SubnetPolicy
from spillway.errors import BackendFailed, NoCapacity, RequestRejected, Unreachable


def fail(policy: SubnetPolicy, error: Exception, now: float) -> None:
    policy.begin()
    policy.end(error, now)


def test_subnet_comes_first() -> None:
    decision = SubnetPolicy().decide(0.0)
    assert (decision.subnet, decision.reason) == (True, "subnet-first")


def test_retry_after_is_honoured_within_bounds() -> None:
    policy = SubnetPolicy()
    fail(policy, NoCapacity("full", retry_after_s=10.0), now=100.0)
    assert not policy.decide(109.9).subnet
    assert policy.decide(110.0).subnet
    fail(policy, NoCapacity("full", retry_after_s=1e9), now=200.0)
    assert policy.decide(200.0 + LONGEST_REST_S).subnet


def test_dead_subnet_gets_one_probe_at_a_time() -> None:
    policy = SubnetPolicy()
    for _ in range(DOWN_AFTER):
        fail(policy, Unreachable("gone"), now=0.0)
    assert not policy.decide(1.0).subnet
    assert policy.decide(2.0).reason == "probe"
    policy.begin()
    assert not policy.decide(2.0).subnet
    policy.end(None, 3.0)
    assert policy.decide(3.0).reason == "subnet-first"


def test_pauses_between_probes_double_up_to_fifteen_seconds() -> None:
    policy = SubnetPolicy()
    now = 0.0
    for _ in range(DOWN_AFTER):
        fail(policy, Unreachable("gone"), now)
    pauses = []
    for _ in range(5):
        start = now
        while not policy.decide(now).subnet:
            now += 0.5
        pauses.append(now - start)
        fail(policy, Unreachable("gone"), now)
    assert pauses == [2.0, 4.0, 8.0, 15.0, 15.0]


def test_refusals_of_a_full_subnet_are_no_outage() -> None:
    policy = SubnetPolicy()
    policy.begin()
    for _ in range(20):
        fail(policy, NoCapacity("full"), now=0.0)
    assert policy.decide(0.0).subnet


def test_callers_fault_says_nothing() -> None:
    policy = SubnetPolicy()
    for _ in range(20):
        fail(policy, RequestRejected("bad", status=400), now=0.0)
    assert not policy.down
    assert policy.in_flight == 0


@given(
    st.lists(
        st.sampled_from([None, BackendFailed("x"), NoCapacity("x"), NoCapacity("x", retry_after_s=5), Unreachable("x")])
    )
)
def test_outage_never_lasts_longer_than_the_longest_pause(outcomes: list[Exception | None]) -> None:
    policy = SubnetPolicy()
    now = 0.0
    for outcome in outcomes:
        fail(policy, outcome, now)  # type: ignore[arg-type]
        now += 1.0
    assert policy.in_flight == 0
    assert policy.decide(now + LONGEST_REST_S).subnet


def test_only_the_most_recent_models_have_a_policy_of_their_own() -> None:
    policies = Policies()
    first = policies.of("r", "model-0")
    for number in range(1, MODELS_PER_ROUTE + 1):
        policies.of("r", f"model-{number}")
    assert policies.of("r", "model-0") is not first


def test_models_past_the_bound_share_one_policy_while_all_are_busy() -> None:
    policies = Policies()
    for number in range(MODELS_PER_ROUTE):
        policies.of("r", f"model-{number}").begin()
    assert policies.of("r", "new") is policies.of("r", "newer")
