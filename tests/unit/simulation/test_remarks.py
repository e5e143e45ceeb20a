"""Figures that would surprise are put into words."""

from dataclasses import replace
from typing import Any

import pytest

from spillway.simulation.remarks import remarks
from support.simulated import FIGURES, scenario

PRICES = {"per_try": 0.0005, "per_second": 0.0002}


def said(instances: int = 1, **changes: Any) -> str:
    one = scenario(prices=PRICES).model_copy(update={"instances": instances, "state_delay": 10.0})
    return "\n".join(remarks(one, one.pipelines[0], replace(FIGURES, **changes)))


def test_expected_figures_need_no_words() -> None:
    assert said() == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"requests": 0}, "Nobody came"),
        ({"failed": 1}, "One user had no answer within 120 s."),
        ({"failed": 3}, "3 users had no answer"),
        ({"oracle_subnet": 0}, "Even the oracle found no free slot."),
        ({"subnet": 48, "subnet_share_of_oracle": 0.8}, "The subnet could have served 12 more."),
        ({"refused_attempts": 12, "refused_per_success": 0.2}, "12 tries found no slot, 20 for 100 successes"),
        ({"doomed_attempts": 9}, "8 tries were lost for other reasons than a full subnet"),
        ({"recovery_seconds": 44.0}, "only 44 s after a breakdown's end"),
        (
            {"latency_p95": 35.0},
            "One in 20 waited 35 s or longer, a job alone takes up to 4 s: tries went wrong first.",
        ),
        ({"warm_usd": 1.0, "cost_usd": 1.1, "oracle_usd": 1.1}, "Keeping hosted instances warm cost 1.00 USD"),
        ({"warm_usd": 1.0, "cost_usd": 1.5}, "the largest part of the cost is warm instances, 1.00 USD"),
        ({"cost_usd": 2.5}, "2.30 USD more than the oracle; the largest part of the cost is users' time, 2.38 USD"),
    ],
)
def test_surprise_is_explained_in_one_sentence(changes: dict[str, Any], words: str) -> None:
    assert words in said(**changes)


def test_split_state_is_named_as_the_reason_for_a_low_share() -> None:
    words = said(instances=8, subnet=48, subnet_share_of_oracle=0.8)
    assert words == "The subnet could have served 12 more; 8 instances know of each other only what is 10 s old."
