"""How a day of `spillway demo` is shown in the terminal, and summed up."""

import asyncio
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

REFRESH_S = 0.2
PLAIN_LINES = 10
WEI = 10**18


class Show:
    """The day in the terminal: a live view, or now and then a line where there is no terminal."""

    def __init__(self, competition: Any, seconds: float, url: str, console: Console):
        self.competition = competition
        self.day = competition.Day(seconds, url)
        self._console = console

    def begin(self) -> None:
        """Say what is to come, and where to look."""
        minutes = self.competition.DAY_S / 60
        self._console.print(
            f"A day of the GIF competition, folded into {minutes:.0f} simulated minutes, in {self.day.seconds:g} s.\n"
            f"Dashboard: {self.day.url}/?range=1h      the competition's dApp: {self.day.url}/gif"
        )

    async def watch(self, playing: "asyncio.Task[None]") -> None:
        """Show how it goes until the day is over."""
        if not self._console.is_terminal:
            while not playing.done():
                await self._news(playing, self.day.seconds / PLAIN_LINES)
                self._console.print(self._line(), soft_wrap=True)
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while not playing.done():
                live.update(self._view(), refresh=True)
                await self._news(playing, REFRESH_S)

    async def _news(self, playing: "asyncio.Task[None]", wait_s: float) -> None:
        await asyncio.wait([playing], timeout=wait_s)
        await self.day.count_money()

    def end(self, chain: str, *, stay: bool) -> None:
        """The final table; `chain` is the kind of node that redemptions were read from."""
        self._console.print(self._table())
        self._console.print(
            f"{self.day.gifs} GIFs are in the gallery. Orchestrators redeemed {self.day.redeemed} winning tickets\n"
            f"for {self.day.redeemed_wei / WEI:.3f} ETH on a simulated chain ({chain})."
        )
        self._console.print(f"Dashboard: {self.day.url}/?range=1h" + (" until Ctrl-C" if stay else ""))

    def as_dict(self) -> dict[str, Any]:
        """The result as `--json` prints it; p50, p95 and `eta_error_p50` are simulated seconds."""
        reference = self.competition.REFERENCE.items()
        return {
            "pipelines": {name: _summary(tally) for name, tally in self.day.tallies.items()},
            "reference": {name: {"subnet": subnet, "fallback": fallback} for name, (subnet, fallback) in reference},
            "gifs": self.day.gifs,
            "redemptions": {"count": self.day.redeemed, "amount_wei": str(self.day.redeemed_wei)},
            "dashboard": f"{self.day.url}/",
        }

    def _line(self) -> str:
        counts = (
            f"{name}: {tally.sent} sent, {tally.subnet} subnet, {tally.fallback} fallback, {tally.failed} failed, "
            f"{tally.in_flight} in flight, ${tally.usd:.2f}"
            for name, tally in self.day.tallies.items()
        )
        return f"{self._clock()}  " + " | ".join(counts)

    def _view(self) -> Group:
        bar = Table.grid(padding=(0, 2))
        bar.add_row("", self._clock(), ProgressBar(self.competition.DAY_S, self.day.now_s, width=58))
        table = _columns("Sent", "Subnet", "Fallback", "Failed", "In flight", "Hosted spend")
        for name, tally in self.day.tallies.items():
            counts = (tally.sent, tally.subnet, tally.fallback, tally.failed, tally.in_flight)
            table.add_row(name, *map(str, counts), f"${tally.usd:.2f}")
        return Group("", bar, table)

    def _clock(self) -> str:
        minutes = int(min(1.0, self.day.now_s / self.competition.DAY_S) * 24 * 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}"

    def _table(self) -> Table:
        table = _columns("Subnet", "Fallback", "Failed", "p50", "p95", "Spend", "The event")
        for name, tally in self.day.tallies.items():
            counts = (tally.subnet, tally.fallback, tally.failed)
            times = (_seconds(tally.quantile(q)) for q in (0.5, 0.95))
            subnet, fallback = self.competition.REFERENCE[name]
            table.add_row(name, *map(str, counts), *times, f"${tally.usd:.2f}", f"{subnet} / {fallback}")
        table.caption = (
            f"p50, p95: simulated seconds, {1 / self.day.scale:.3g} to a real one. Hosted jobs are looked at every "
            f"0.25 to 2 real seconds, so they seem up to {2 / self.day.scale:.0f} s longer than they are.\n"
            "The event: by the subnet / by hosted inference, in the GIF competition itself."
            + "".join(_of_jobs(name, tally) for name, tally in self.day.tallies.items())
        )
        return table


def _of_jobs(name: str, tally: Any) -> str:
    if tally.estimate_error_s is None:
        return ""
    return (
        f"\n{name} went by jobs, {len(tally.estimated_s)} of them; each was told at once when it would be\n"
        f"done, and half of them were told right to {tally.estimate_error_s:.0f} s."
    )


def _columns(*numbers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    table.add_column("Pipeline", no_wrap=True)
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _summary(tally: Any) -> dict[str, Any]:
    p50, p95 = tally.quantile(0.5), tally.quantile(0.95)
    return {
        "requests": tally.sent,
        "subnet": tally.subnet,
        "fallback": tally.fallback,
        "failed": tally.failed,
        "p50": None if p50 is None else round(p50, 2),
        "p95": None if p95 is None else round(p95, 2),
        "usd": round(tally.usd, 4),
        "jobs": len(tally.estimated_s),
        "eta_error_p50": None if tally.estimate_error_s is None else round(tally.estimate_error_s, 2),
    }
