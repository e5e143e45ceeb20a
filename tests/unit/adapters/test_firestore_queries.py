"""Queries for jobs have the indexes that Firestore demands in production; its emulator never asks.

The rule, of Firestore's documentation: a query of equalities alone is served by the indexes of its single fields;
every other that names more than one field needs a composite index that holds the fields compared for equality, then
those that it orders by in that direction, then the others that it compares by a range.
"""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore_v1.async_client import AsyncClient
from google.cloud.firestore_v1.async_query import AsyncQuery
from google.cloud.firestore_v1.types import StructuredQuery

from spillway.adapters import firestore_queries as queries
from spillway.domain.fairness import place
from spillway.domain.job_documents import sought
from support.jobs import LANE, NOW, new_job

INDEXES = json.loads(
    (Path(__file__).parents[3] / "terraform" / "modules" / "state" / "firestore_indexes.json").read_text()
)
UNINDEXED = set(INDEXES["unindexed"]["jobs"])
Index = tuple[tuple[str, str], ...]
Filter = StructuredQuery.FieldFilter.Operator

ASKED: list[tuple[Callable[..., AsyncQuery], tuple[Any, ...]]] = [
    (queries.claimable, (LANE, NOW)),
    (queries.claimable, (LANE,)),
    (queries.callers_last, (LANE, "anna")),
    (queries.ahead, (LANE, place(new_job()))),
    (queries.in_status, (LANE, "queued")),
    (queries.until, ("due", NOW)),
    (queries.until, ("webhook_at", NOW)),
    (queries.changed_since, (NOW,)),
    (queries.finished_before, (NOW,)),
]


def structured(ask: Callable[..., AsyncQuery], values: tuple[Any, ...]) -> StructuredQuery:
    jobs = AsyncClient(project="none", credentials=AnonymousCredentials()).collection("jobs")
    query: StructuredQuery = ask(jobs, *values)._to_protobuf()
    return query


def filters(query: StructuredQuery) -> list[StructuredQuery.FieldFilter]:
    where = query.where
    return [one.field_filter for one in where.composite_filter.filters] or [where.field_filter]


def needed(query: StructuredQuery) -> tuple[set[str], Index]:
    """The fields compared for equality, in no order, and those that follow them in an index."""
    equal = {one.field.field_path for one in filters(query) if one.op == Filter.EQUAL}
    ranges = [one.field.field_path for one in filters(query) if one.op != Filter.EQUAL]
    ordered = [(one.field.field_path, one.direction.name) for one in query.order_by]
    rest = [(field, "ASCENDING") for field in ranges if field not in dict(ordered)]
    return equal, (*ordered, *rest)


def composites() -> set[tuple[frozenset[str], Index]]:
    found = set()
    for index in INDEXES["composite"].values():
        fields = [(field["field_path"], field["order"]) for field in index["fields"]]
        for begin in range(1, len(fields)):
            found.add((frozenset(path for path, _ in fields[:begin]), tuple(fields[begin:])))
    return found


@pytest.mark.parametrize(("ask", "values"), ASKED)
def test_query_has_its_index(ask: Callable[..., AsyncQuery], values: tuple[Any, ...]) -> None:
    equal, following = needed(structured(ask, values))
    if len(equal) + len(following) == 1 or not following:
        assert not UNINDEXED & {*equal, *dict(following)}
    else:
        assert (frozenset(equal), following) in composites()


def test_every_query_is_compared() -> None:
    defined = {
        function
        for name, function in inspect.getmembers(queries, inspect.isfunction)
        if function.__module__ == queries.__name__ and not name.startswith("_")
    }
    assert {ask for ask, _ in ASKED} == defined


def test_no_index_is_kept_for_nothing() -> None:
    """Each is a write that is paid for."""
    asked = [needed(structured(ask, values)) for ask, values in ASKED]
    for index in INDEXES["composite"].values():
        fields = [(field["field_path"], field["order"]) for field in index["fields"]]
        assert any(
            equal == {path for path, _ in fields[: len(equal)]} and following == tuple(fields[len(equal) :])
            for equal, following in asked
        )
    alone = {
        field
        for equal, following in asked
        if len(equal) + len(following) == 1 or not following
        for field in {*equal, *dict(following)}
    }
    assert {*sought(new_job()), "id", "text", "expires"} - UNINDEXED == alone


def test_what_expires_is_what_the_store_writes() -> None:
    assert INDEXES["expiring"] == {"jobs": "expires"}
