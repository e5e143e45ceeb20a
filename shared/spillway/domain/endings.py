"""Which of the running jobs end soon: those of an age at which jobs were seen to end."""

import bisect
from collections.abc import Iterable, Sequence

AGES = 20
"""Ages are told apart in so many parts of a job's time."""
DOUBT = 3.0
"""So many jobs that end at any age alike are added to those that were seen."""


class Endings(dict[int, float]):
    """How many jobs a slot brings to an end in `within_s` seconds, by the age of the job that it holds (in `AGES`).

    `seen` are the times of jobs, in order; `job_s` is their usual time. Each age is reckoned when it is first asked
    for, as this is asked of every open try at every decision.
    """

    def __init__(self, seen: Sequence[float], job_s: float, within_s: float) -> None:
        super().__init__()
        self.within_s = within_s
        self.usual = within_s / job_s
        """Of a job of any age."""
        self._seen = seen
        self._per_second = AGES / job_s

    def of(self, ages_s: Iterable[float]) -> list[float]:
        """Of jobs of these ages."""
        per_second = self._per_second
        return [self[int(age_s * per_second)] for age_s in ages_s]

    def __missing__(self, age: int) -> float:
        age_s = (age + 0.5) / self._per_second
        older = bisect.bisect_right(self._seen, age_s)
        ended = bisect.bisect_right(self._seen, age_s + self.within_s) - older
        first = (ended + DOUBT * min(1.0, self.usual)) / (len(self._seen) - older + DOUBT)
        # A slot whose jobs are shorter than this time brings more than one to an end.
        self[age] = first + max(0.0, self.usual - 1.0)
        return self[age]
