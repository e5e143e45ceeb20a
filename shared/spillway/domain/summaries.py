"""Daily and weekly summaries: which are due, and what they say."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from spillway.domain.announcements import eth, money
from spillway.domain.cards import Card
from spillway.domain.luck import luck
from spillway.domain.redemption_sums import Sum, Sums
from spillway.domain.ticket_counts import Counters

NAMED = 5


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `first` up to, not including, `end`; `id` is that of its announcement."""

    id: str
    title: str
    first: date
    end: date

    @property
    def since(self) -> int:
        """Epoch seconds of its begin."""
        return _epoch(self.first)

    @property
    def before(self) -> int:
        """Epoch seconds of its end."""
        return _epoch(self.end)

    @property
    def last(self) -> str:
        """Its last day."""
        return (self.end - timedelta(days=1)).isoformat()


def due(read_until: int) -> Iterator[Span]:
    """The last day and the last week (Monday to Sunday, UTC) that were over when the chain was read so far."""
    today = datetime.fromtimestamp(read_until, UTC).date()
    yesterday = today - timedelta(days=1)
    yield Span(f"summary-day {yesterday}", f"Ticket redemptions on {yesterday:%A}, {yesterday}", yesterday, today)
    monday = today - timedelta(days=today.weekday())
    first = monday - timedelta(days=7)
    year, week, _ = first.isocalendar()
    yield Span(f"summary-week {year}-W{week:02d}", f"Ticket redemptions in week {week} of {year}", first, monday)


def summary(span: Span, sums: Sums, counts: Counters | None, eth_usd: str | None) -> Card | None:
    """`sums` are by orchestrator. None where there is nothing to tell."""
    total = sums.total
    if not total.count and not (counts and counts.tickets):
        return None
    missing = [] if counts else ["tickets sent and luck, which need the gateway's metrics"]
    missing += [] if eth_usd else ["the price of an ether in USD"]
    return Card(
        title=span.title,
        facts=tuple(_facts(total, counts, eth_usd)),
        text=_most_paid(sums),
        tone="note",
        at=span.before,
        footnote=f"Could not be had: {', '.join(missing)}." if missing else "",
    )


def _facts(total: Sum, counts: Counters | None, eth_usd: str | None) -> Iterator[tuple[str, str]]:
    yield "Operators paid", f"{len(total.recipients):,}"
    if counts:
        yield "Tickets sent", f"{counts.tickets:,.0f}"
    yield "Winning tickets", f"{total.count:,}"
    yield "Paid", money(total.amount_wei, eth_usd)
    if counts and (found := luck(total.count, total.face_value_wei, counts.value_wei)):
        yield "Luck", f"{found.ratio:.2f} of what was expected (95 %: {found.low:.2f} to {found.high:.2f})"
        yield "Expected", eth(round(counts.value_wei))


def _most_paid(sums: Sums) -> str:
    ranked = sorted(sums.groups.items(), key=lambda one: -one[1].amount_wei)
    lines = [f"{one.name or address}: {eth(one.amount_wei)}" for address, one in islice(ranked, NAMED)]
    more = len(ranked) - NAMED
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def _epoch(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
