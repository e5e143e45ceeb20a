"""Sums over redemptions, and redemptions as a table."""

import csv
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.redemption_sums import WAYS, Sums
from spillway.domain.redemption_table import COLUMNS, table
from spillway.domain.redemptions import Decorations, Redemption
from support.redemptions import made

ONES = st.builds(
    lambda number, amount, gas, recipient: replace(
        made(number), amount_wei=amount, face_value_wei=amount, recipient=f"0x{recipient:040x}",
        timestamp=1_795_700_000 + number * 40_000, decorations=Decorations(gas_paid_wei=gas),
    ),
    st.integers(1, 9), st.integers(0, 2**255), st.none() | st.integers(0, 10**18), st.integers(1, 3),
)  # fmt: skip


@given(st.lists(ONES, max_size=20), st.sampled_from(WAYS))
def test_groups_add_up_to_the_whole(ones: list[Redemption], by: str) -> None:
    sums = Sums(by)  # type: ignore[arg-type]
    for one in ones:
        sums.add(one)
    rows = sums.rows()
    assert sum(row["count"] for row in rows) == sums.total.count == len(ones)
    assert sum(int(row["amount_wei"]) for row in rows) == int(sums.total.body()["amount_wei"])
    assert sum(one.amount_wei for one in ones) == sums.total.amount_wei
    assert sums.total.body()["orchestrators"] == len({one.recipient for one in ones})


def test_removed_redemptions_do_not_count() -> None:
    sums = Sums("day")
    sums.add(made().changed(status="removed"))
    assert (sums.total.count, sums.rows()) == (0, [])


def test_days_are_newest_first_and_orchestrators_by_what_they_were_paid() -> None:
    days, paid = Sums("day"), Sums("orchestrator")
    for number in (3, 2, 1):
        one = replace(made(number), timestamp=number * 86_400, recipient=f"0x{number}", amount_wei=10 * (number % 3))
        days.add(one)
        paid.add(replace(one, decorations=Decorations(f"new-{number}")))
        paid.add(replace(one, decorations=Decorations("old")))
    assert [row["day"] for row in days.rows()] == ["1970-01-04", "1970-01-03", "1970-01-02"]
    assert [(row["orchestrator"], row["name"]) for row in paid.rows()] == [
        ("0x2", "new-2"), ("0x1", "new-1"), ("0x3", "new-3"),
    ]  # fmt: skip


def test_table_holds_a_line_a_redemption() -> None:
    text = table([made(1), made(2)])
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["block_number"] for row in rows] == ["1", "2"]
    assert tuple(rows[0]) == COLUMNS
    assert table([made(1)], header=False) + table([made(2)], header=False) == text.partition("\r\n")[2]
