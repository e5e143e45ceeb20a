"""Figures as a person reads them."""

from datetime import UTC, datetime

from spillway.domain.chronicle import Cell, Times
from spillway.domain.moments import epoch_seconds
from spillway.domain.proof import wilson
from spillway.domain.redemptions import in_eth

CAUSES = {
    "room": "slots were free",
    "explore": "a risk that paid off",
    "probe": "a look whether it is back",
    "waited": "a slot came free for one that waited",
    "asked": "a caller or an operator wanted it so",
    "full": "it was full",
    "overtime": "no slot came free for one that waited",
    "down": "it was down",
    "served": "a job was served",
    "refused": "a job was refused",
    "unreachable": "a connection was closed without an answer",
    "broken": "a job failed",
    "timeout": "a job never answered",
    "caller": "a caller's request was wrong",
    "canceled": "a try was ended here",
    "others": "other instances reported so",
    "gateway": "the gateway told of its orchestrators",
}
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def share(part: float, of: float) -> str:
    """A part in percent; a dash of nothing."""
    return f"{100 * part / of:.1f} %" if of else "-"


def certain(good: float, of: float) -> str:
    """A rate with its 95 % interval."""
    interval = wilson(good, of)
    if interval.rate is None:
        return "-"
    return f"{100 * interval.rate:.1f} % ({100 * interval.low:.0f} to {100 * interval.high:.0f})"


def between(good: float, of: float) -> str:
    """The 95 % interval of a rate alone."""
    interval = wilson(good, of)
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f} %" if of else "-"


def by_server(one: Cell) -> str:
    """The times of each hosted provider; its name where there are several."""
    hosted = {server: of for server, of in sorted(one.served.items()) if server != "subnet"}
    return "; ".join(times(of) if len(hosted) == 1 else f"{server} {times(of)}" for server, of in hosted.items())


def times(of: Times) -> str:
    """Median, 95th and 99th percentile, in seconds."""
    return " / ".join(f"{of.quantile(q) or 0.0:.1f}" for q in (0.5, 0.95, 0.99))


def usd(value: float) -> str:
    """Money; small sums keep their digits."""
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


def eth(wei: int) -> str:
    """Ether, to six digits that count."""
    return f"{float(in_eth(wei)):.6g}"


def short(digits: str) -> str:
    """A hash or an address, by its first and last digits."""
    return f"{digits[:8]}…{digits[-6:]}"


def ago(passed_s: float) -> str:
    """How long ago, in its largest unit."""
    size, unit = next(((size, unit) for size, unit in UNITS if passed_s >= size), (1, "s"))
    return f"{passed_s / size:.0f} {unit} ago"


def clock(at: float) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def moment(text: str) -> str:
    """A moment that was written after RFC 3339, as `clock` shows it."""
    return clock(epoch_seconds(text))


def day(at: float) -> str:
    """The day in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def cause(word: str) -> str:
    """Why the policy changed its mind."""
    return CAUSES.get(word, word.replace("-", " "))


def change(was: dict[str, object]) -> str:
    """One change of the policy, in words."""
    if isinstance(order := was.get("order"), dict):
        return f"an operator ordered {order['mode']}, at most {order['max_share']:.0%} on the subnet"
    if not was["up"]:
        return f"down, because {cause(str(was['cause']))}"
    return f"{was['limit']} at once, because {cause(str(was['cause']))}"


def waited(one: Cell) -> str:
    """How long a request waited on average before its first try."""
    return f"{one.queue_s / one.requests:.2f} s" if one.requests else "-"
