"""What one instance knows of each day's money. Near midnight that is two days' money, as clocks differ."""

import logging

from spillway.domain.budget import DAY_S, Purse, date_of, days_of
from spillway.domain.pressure import SpendHistory

log = logging.getLogger("spillway")

WARNINGS = (95, 80, 50)


class Day:
    """One day's. `of` is the key whose money it is, empty for the money of all."""

    def __init__(self, number: int, cap: int, of: str):
        self.key = date_of(number)
        self._whose = f"{self.key} of the key {of}" if of else self.key
        self.purse = Purse(cap)
        self.history = SpendHistory(number * DAY_S)
        self.warned = 0

    def note(self, now: float) -> None:
        """Take down how much is gone, and say so once at 50, 80 and 95 %."""
        self.history.note(now, self.purse.cap - self.purse.reach)
        percent = next((one for one in WARNINGS if self.purse.gone * 100 >= one), 0)
        if percent > self.warned:
            self.warned = percent
            log.warning("%d %% of the money of %s for hosted inference is gone", percent, self._whose)


class Days(dict[int, Day]):
    """Days by their number since 1970; one that is asked for begins with the whole cap, in micro-dollars."""

    def __init__(self, cap: int, of: str):
        super().__init__()
        self._cap, self._of = cap, of

    def __missing__(self, number: int) -> Day:
        self[number] = Day(number, self._cap, self._of)
        return self[number]

    def near(self, now: float) -> dict[int, Day]:
        """Those that it may be now, by any clock."""
        return {number: self[number] for number in days_of(now)}

    def today(self, now: float) -> Day:
        """The one that it is by this clock."""
        return self[int(now // DAY_S)]
