"""Writes down what this instance sees, minute by minute, as documents that are published beside its reports."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from spillway.domain.chronicle import HOUR_S, MINUTE_S, VERSION, Cell, Cells, body_of, cell
from spillway.domain.routes import Routes
from spillway.ports import Clock, Served
from spillway.services.naming import own_name

MINUTES = "minutes"
_REJECTED = frozenset({"rejected", "refused", "context-too-long"})
_FAILED = frozenset({"unanswered", "fault"})
_TURNED_AWAY = frozenset({"no-capacity", "unreachable"})


class Chronicling:
    """Adapter of ports.Ledger; `documents` gives the hours that have changed since they were written last."""

    def __init__(self, routes: Routes, *, epoch: Clock):
        self._routes, self._epoch = routes, epoch
        self._name = ""
        self._hours: dict[int, Cells] = {}
        self._unwritten: Counter[int] = Counter()

    def record(self, served: Served) -> None:
        """Count one request."""
        now = int(self._epoch())
        hour = now - now % HOUR_S
        self._unwritten[hour] += 1
        cells = self._hours.setdefault(hour, {})
        _count(cell(cells, now - now % MINUTE_S, served.pipeline), served, self._price(served))

    def documents(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(folder, key, body) of each; whoever asks for the next one has written the one before."""
        for hour, count in sorted(self._unwritten.items()):
            body = {"version": VERSION, "hour": hour, "cells": body_of(self._hours[hour])}
            yield MINUTES, self._key(hour), body
            if self._unwritten[hour] == count:
                del self._unwritten[hour]
        for hour in [hour for hour in self._hours if hour < max(self._hours) and hour not in self._unwritten]:
            del self._hours[hour]

    def latest(self) -> dict[str, tuple[int, Cells]]:
        """The hour and cells of each document as it would be now: newer than what is written."""
        return {self._key(hour): (hour, cells) for hour, cells in self._hours.items()}

    def _key(self, hour: int) -> str:
        self._name = own_name(self._name)
        return f"{hour} {self._name}"

    def _price(self, served: Served) -> float:
        return served.pictures * self._routes.find(served.pipeline, served.model).hosted_usd


def _count(one: Cell, served: Served, price_usd: float) -> None:
    one.requests += 1
    one.failed += served.outcome in _FAILED
    one.rejected += served.outcome in _REJECTED
    one.canceled += served.outcome == "canceled"
    one.usd += served.usd
    one.queue_s += served.queue_s
    for attempt in served.attempts:
        if attempt.backend == "subnet":
            one.tries += 1
            one.refused += attempt.outcome in _TURNED_AWAY
    if served.outcome == "served":
        one.answered_by(served.served_by, served.seconds)
        one.spared_usd += price_usd if served.served_by == "subnet" else 0.0
