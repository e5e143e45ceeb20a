"""Sums over redemptions: of all of them, and by orchestrator, day or gateway."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from spillway.domain.moments import rfc3339
from spillway.domain.redemptions import Redemption, eth_text

By = Literal["orchestrator", "day", "gateway"]
WAYS: tuple[By, ...] = get_args(By)

_GROUPS: Mapping[By, Callable[[Redemption], str]] = {
    "orchestrator": lambda one: one.recipient,
    "day": lambda one: rfc3339(one.timestamp)[:10],
    "gateway": lambda one: one.sender,
}


@dataclass(slots=True)
class Sum:
    """Of some redemptions; what was removed must not be added. `name` is the newest one known of them."""

    count: int = 0
    amount_wei: int = 0
    face_value_wei: int = 0
    gas_paid_wei: int = 0
    name: str | None = None
    recipients: set[str] = field(default_factory=set)

    def add(self, one: Redemption) -> None:
        """Count one; they come the newest first."""
        told = one.decorations
        self.count += 1
        self.amount_wei += one.amount_wei
        self.face_value_wei += one.face_value_wei
        self.gas_paid_wei += told.gas_paid_wei or 0
        self.name = self.name or told.recipient_name
        self.recipients.add(one.recipient)

    def body(self) -> dict[str, Any]:
        """As it is reported."""
        return {
            "count": self.count,
            "amount_wei": str(self.amount_wei),
            "amount_eth": eth_text(self.amount_wei),
            "face_value_wei": str(self.face_value_wei),
            "gas_paid_wei": str(self.gas_paid_wei),
            "orchestrators": len(self.recipients),
        }


@dataclass(slots=True)
class Sums:
    """The sum of all, and those by group, where one way to group was asked for."""

    by: By | None = None
    total: Sum = field(default_factory=Sum)
    groups: dict[str, Sum] = field(default_factory=dict)

    def add(self, one: Redemption) -> None:
        """Count one."""
        if one.status == "removed":
            return
        self.total.add(one)
        if self.by:
            self.groups.setdefault(_GROUPS[self.by](one), Sum()).add(one)

    def rows(self) -> list[dict[str, Any]]:
        """A row a group: days the newest first, others by what they were paid."""
        named = sorted(self.groups.items(), reverse=True, key=self._rank)
        return [self._row(name, group) for name, group in named]

    def columns(self) -> list[str]:
        """What a row names."""
        return list(self._row("", Sum()))

    def _rank(self, named: tuple[str, Sum]) -> Any:
        name, group = named
        return name if self.by == "day" else (group.amount_wei, name)

    def _row(self, name: str, group: Sum) -> dict[str, Any]:
        named = {"name": group.name} if self.by == "orchestrator" else {}
        return {str(self.by): name, **named, **group.body()}
