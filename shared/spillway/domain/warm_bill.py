"""What warm instances may have cost, at the most, and how much of the day's money that needs. Pure.

An instance counts from before it is asked for until the provider itself has said that it is not ordered any more.
Money is set aside before it can be spent: for what has run up today, and for `horizon_s` more of all that may be
warm, which is the time in which they can be got rid of when there is no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.budget import DAY_S, WRONG_S, date_of

DAYS_KEPT = 8
HORIZON_S = 600.0


@dataclass(slots=True)
class Standing:
    """A deployment: how many instances may be ordered now, and what a second of one costs."""

    deployment: str
    most_warm: int = 0
    usd_per_s: float = 0.0

    def body(self) -> dict[str, Any]:
        """For storing."""
        return {"deployment": self.deployment, "most_warm": self.most_warm, "usd_per_s": self.usd_per_s}


@dataclass(slots=True)
class Bill:
    """All deployments. `usd` and `reserved` are by date, `at` is until when it has been counted."""

    at: float = 0.0
    standings: dict[str, Standing] = field(default_factory=dict)
    usd: dict[str, float] = field(default_factory=dict)
    reserved: dict[str, float] = field(default_factory=dict)

    def count(self, now: float) -> None:
        """Up to now, each second on its day; a clock that went back a little costs nothing."""
        if self.at > now + WRONG_S:
            self._set_back(now)
        rate = sum(standing.most_warm * standing.usd_per_s for standing in self.standings.values())
        while rate > 0 and self.at < now:
            until = min(now, (self.at // DAY_S + 1) * DAY_S)
            date = date_of(int(self.at // DAY_S))
            self.usd[date] = self.usd.get(date, 0.0) + rate * (until - self.at)
            self.at = until
        self.at = max(self.at, now)
        oldest = date_of(int(now // DAY_S) - DAYS_KEPT)
        for days in (self.usd, self.reserved):
            for date in [date for date in days if date < oldest]:
                del days[date]

    def _set_back(self, now: float) -> None:
        """What a wrong clock has counted ahead of time is not owed."""
        self.at, today = now, date_of(int(now // DAY_S))
        for days in (self.usd, self.reserved):
            for date in [date for date in days if date > today]:
                del days[date]

    def today_usd(self, now: float) -> float:
        """Of this UTC day so far."""
        return self.usd.get(date_of(int(now // DAY_S)), 0.0)

    def lacking_usd(self, now: float, place: str, least: int, horizon_s: float = HORIZON_S) -> float:
        """What is to be set aside before `least` instances may be ordered at a place; 0 where enough is."""
        rate = 0.0
        for name, standing in self.standings.items():
            most = max(standing.most_warm, least) if name == place else standing.most_warm
            rate += most * standing.usd_per_s
        needed = self.today_usd(now) + rate * horizon_s
        return max(0.0, needed - self.reserved.get(date_of(int(now // DAY_S)), 0.0))

    def reserve(self, now: float, usd: float) -> None:
        """So much more has been set aside for today."""
        date = date_of(int(now // DAY_S))
        self.reserved[date] = self.reserved.get(date, 0.0) + usd

    def body(self) -> dict[str, Any]:
        """As `read_bill` takes it."""
        standings = {name: standing.body() for name, standing in self.standings.items()}
        return {"at": self.at, "standings": standings, "usd": self.usd, "reserved": self.reserved}


def read_bill(body: Mapping[str, Any], now: float) -> Bill:
    """From the stored form; a new one where it can't be understood."""
    try:
        standings = {
            str(name): Standing(str(one["deployment"]), int(one["most_warm"]), float(one["usd_per_s"]))
            for name, one in body["standings"].items()
        }
        usd = {str(date): float(value) for date, value in body["usd"].items()}
        reserved = {str(date): float(value) for date, value in body["reserved"].items()}
        return Bill(float(body["at"]), standings, usd, reserved)
    except (KeyError, TypeError, ValueError, AttributeError):
        return Bill(now)
