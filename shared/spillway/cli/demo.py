"""`spillway demo`: a day of GIF-competition demand, over HTTP, through the real front door, in fast motion."""

import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import typer
import uvicorn
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from spillway.cli.serve import server
from spillway.errors import BadSettings
from spillway.settings import Settings, load_settings

HOST = "127.0.0.1"
REFRESH_S = 0.2
PLAIN_LINES = 10
PLAIN_WIDTH = 100


def demo(
    seconds: Annotated[
        float, typer.Option(help="How long the day takes; its last videos come a little later.", min=1)
    ] = 60,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8080,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Play a day of the GIF competition against a simulated subnet and simulated hosted inference."""
    competition = _competition()
    console = Console(stderr=as_json, highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    listener = _listener(port)
    stay = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    show = Show(competition, seconds, f"http://{HOST}:{listener.getsockname()[1]}", console)
    try:
        # The event loop that `spillway serve` runs on.
        with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
            runner.run(_run(show, listener, stay=stay))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped before the day was over.")
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(show.as_dict()))
    if any(tally.failed for tally in show.day.tallies.values()):
        raise typer.Exit(1)


async def _run(show: "Show", listener: socket.socket, *, stay: bool) -> None:
    _end_on_sigterm()
    async with _stage(show.competition, show.day, listener), show.day.open():
        show.begin()
        async with asyncio.TaskGroup() as group:
            await show.watch(group.create_task(show.day.play()))
        show.end(stay=stay)
        if stay:
            # Ctrl-C cancels this task; here that is how a whole demo ends.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()


def _end_on_sigterm() -> None:
    """As on Ctrl-C, so that nothing is left lying about. Windows has no such signal."""
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


# What is played against.


def _competition() -> Any:
    try:
        from simulator import competition  # noqa: PLC0415 (infra/ is not in the package)
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "simulator":
            raise
        raise BadSettings("spillway demo needs infra/simulator: run `make demo` in a clone of the repository") from None
    return competition


def _listener(port: int) -> socket.socket:
    # Without its protocol, asyncio takes it for no TCP socket and leaves Nagle's algorithm on: 40 ms an answer.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise BadSettings(f"--port {port}: {error.strerror}; choose another one, or 0 for any that is free") from None
    return listener


@contextlib.asynccontextmanager
async def _stage(competition: Any, day: Any, listener: socket.socket) -> AsyncIterator[None]:
    """The simulators, and the front door before them. What it keeps is gone afterwards."""
    token = "r8_demo"  # noqa: S105 (the simulated Replicate takes the one that it is told)
    with tempfile.TemporaryDirectory(prefix="spillway-demo-") as directory:
        async with (
            competition.subnet(day.scale).serve() as subnet,
            competition.hosted(day.scale, token).serve() as hosted,
            _serving(
                _settings(
                    public_url=day.url,
                    subnet_url=subnet.url,
                    replicate_url=hosted.url,
                    replicate_api_token=token,
                    artifacts=f"file://{directory}/artifacts",
                    state=f"sqlite:///{directory}/state.db",
                ),
                listener,
            ),
        ):
            yield


def _settings(**own: str) -> Settings:
    """The demo's own settings, and for the rest the defaults: the user's are for the real subnet."""
    others = {name: known for name, known in Settings.model_fields.items() if name not in own}
    defaults = {name: known.get_default(call_default_factory=True, validated_data={}) for name, known in others.items()}
    return load_settings(**own).model_copy(update=defaults)


class _Server(uvicorn.Server):
    """Leaves Ctrl-C to the command."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def _serving(settings: Settings, listener: socket.socket) -> AsyncIterator[None]:
    from spillway.assembly.gateway import front_door  # noqa: PLC0415 (--help need not load the house)

    serving = _Server(server(front_door(settings), HOST, 0).config)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    try:
        while not serving.started:  # noqa: ASYNC110 (uvicorn has nothing to wait for)
            await asyncio.sleep(0.01)
        yield
    finally:
        serving.should_exit = True
        await task


# What is shown.


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
            f"Dashboard: {self.day.url}/"
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

    def end(self, *, stay: bool) -> None:
        """The final table."""
        self._console.print(self._table())
        self._console.print(f"Dashboard: {self.day.url}/" + (" until Ctrl-C" if stay else ""))

    def as_dict(self) -> dict[str, Any]:
        """The result as `--json` prints it; p50, p95 and `eta_error_p50` are simulated seconds."""
        reference = self.competition.REFERENCE.items()
        return {
            "pipelines": {name: _summary(tally) for name, tally in self.day.tallies.items()},
            "reference": {name: {"subnet": subnet, "fallback": fallback} for name, (subnet, fallback) in reference},
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
