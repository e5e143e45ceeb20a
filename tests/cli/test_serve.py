"""What `spillway serve` says when it starts."""

import pytest

from support.front_door import command

ELSEWHERE = "SPILLWAY_QUEUE: jobs are taken in here and run by the function worker alone: see that it runs"


@pytest.mark.parametrize(("queue", "lines"), [("local://", 0), ("pubsub://project", 1)])
def test_jobs_that_others_have_to_run_are_spoken_of(capfd: pytest.CaptureFixture[str], queue: str, lines: int) -> None:
    with command(SPILLWAY_QUEUE=queue):
        pass
    said = capfd.readouterr().err.splitlines()
    assert sum(ELSEWHERE in line for line in said) == lines, said
