"""Quantiles by nearest rank."""

import pytest

from spillway.domain.quantiles import nearest_rank


@pytest.mark.parametrize(("q", "second"), [(0.0, 1.0), (0.5, 2.0), (0.51, 3.0), (0.75, 3.0), (0.95, 4.0), (1.0, 4.0)])
def test_quantile_is_the_nearest_rank(q: float, second: float) -> None:
    assert nearest_rank([1.0, 2.0, 3.0, 4.0], q) == second


def test_of_nothing_there_is_none() -> None:
    assert nearest_rank([], 0.5) is None
