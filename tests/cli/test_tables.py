"""Tables for people show what strangers chose as it is: names of orchestrators, models that callers asked for."""

import pytest

from spillway.adapters.memory_outbox import MemoryOutbox
from spillway.adapters.memory_redemptions import MemoryRedemptions
from spillway.adapters.memory_store import MemoryStore
from spillway.cli.deposit_tables import print_deposits
from spillway.cli.redemption_tables import print_report
from spillway.domain.redemptions import Decorations
from spillway.domain.trail import Trail
from spillway.ports.redemptions import Cursor
from spillway.services.redemption_reports import Period, RedemptionReports
from spillway.services.redemption_totals import RedemptionTotals
from spillway.services.ticket_counting import TicketCounting
from support.redemptions import finding, made

ODD = "[/b]:x:[red]"


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


async def test_an_orchestrators_name_is_no_style(capsys: pytest.CaptureFixture[str]) -> None:
    redemptions = MemoryRedemptions(MemoryOutbox(epoch=lambda: 0.0))
    await redemptions.write("a", Cursor(Trail(1)), [finding(made(decorations=Decorations(recipient_name=ODD)))])
    totals = RedemptionTotals(TicketCounting(None, MemoryStore(), epoch=lambda: 0.0), epoch=lambda: 0.0)
    await print_report(RedemptionReports(redemptions, monotonic=lambda: 0.0), totals, Period(), None, "table")
    assert ODD in capsys.readouterr().out


def test_a_model_that_a_caller_asked_for_is_no_style(capsys: pytest.CaptureFixture[str]) -> None:
    prices = dict.fromkeys(("expected_wei", "expected_usd", "sustainable_wei", "sustainable_usd", "hosted_usd"))
    print_deposits({"deposits": [], "jobs": [{"route": f"llm {ODD}", "jobs": 1, **prices}], "missing": []})
    assert f"llm {ODD}" in capsys.readouterr().out
