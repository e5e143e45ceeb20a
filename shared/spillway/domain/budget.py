"""The daily cap on hosted spend: money is set aside before a hosted job starts, so the cap is never passed."""

from dataclasses import dataclass

DAY_S = 86400.0


@dataclass(slots=True)
class DailyBudget:
    """What hosted jobs may cost a UTC day; `usd_per_day` None is no cap. Times are epoch seconds."""

    usd_per_day: float | None = None
    spent_usd: float = 0.0
    day: int = -1

    def reserve(self, usd: float, now: float) -> bool:
        """Set the price of a job aside; False where the day's money does not hold it."""
        today = int(now // DAY_S)
        if today > self.day:
            self.day, self.spent_usd = today, 0.0
        if self.usd_per_day is not None and self.spent_usd + usd > self.usd_per_day:
            return False
        self.spent_usd += usd
        return True

    def release(self, usd: float) -> None:
        """Give the price of a job back that was never started."""
        self.spent_usd = max(0.0, self.spent_usd - usd)

    def seconds_left(self, now: float) -> float:
        """Until the next day's money."""
        return DAY_S - now % DAY_S
