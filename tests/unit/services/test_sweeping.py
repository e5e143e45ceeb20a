"""A sweep does all that can be done, whatever can not."""

import pytest

from spillway.errors import StoreUnavailable
from spillway.services.sweeping import Sweeping


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ZeroDivisionError("a fault of the house")])
async def test_a_part_that_fails_hinders_no_other(error: Exception) -> None:
    async def fails() -> int:
        raise error

    async def works() -> int:
        return 3

    swept = await Sweeping({"jobs": works, "webhooks": fails, "retention": works}).sweep()
    assert swept.done == {"jobs": 3, "retention": 3}
    assert swept.problems == [f"webhooks: {error}"]
