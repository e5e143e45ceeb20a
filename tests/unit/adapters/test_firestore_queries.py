"""Queries have the indexes that Firestore demands in production; its emulator never asks.

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
UNINDEXED = {collection: set(fields) for collection, fields in INDEXES["unindexed"].items()}
WRITTEN = {
    "jobs": {*sought(new_job()), "id", "text", "expires"},
    "documents": {"text", "stamp"},
}
Index = tuple[tuple[str, str], ...]
Filter = StructuredQuery.FieldFilter.Operator

ASKED: list[tuple[Callable[..., AsyncQuery], tuple[Any, ...]]] = [
    (queries.claimable, (LANE, NOW)),
    (queries.claimable, (LANE,)),
    (queries.callers_last, (LANE, "anna")),
    (queries.ahead, (LANE, place(new_job()))),
    (queries.queued, (LANE,)),
    (queries.in_status, (LANE, "queued")),
    (queries.until, ("due", NOW)),
    (queries.until, ("webhook_at", NOW)),
    (queries.changed_since, (NOW,)),
    (queries.finished_before, (NOW,)),
    (queries.stamped_before, (f"{NOW:017.6f}",)),
]


def structured(ask: Callable[..., AsyncQuery], values: tuple[Any, ...]) -> StructuredQuery:
    client = AsyncClient(project="none", credentials=AnonymousCredentials())
    [first] = list(inspect.signature(ask).parameters)[:1]
    collection = client.collection("jobs") if first == "jobs" else client.collection("spillway", "folder", first)
    query: StructuredQuery = ask(collection, *values)._to_protobuf()
    return query


def collection(query: StructuredQuery) -> str:
    return str(query.from_[0].collection_id)


def single(query: StructuredQuery) -> bool:
    """Whether indexes of single fields serve it."""
    equal, following = needed(query)
    return len(equal) + len(following) == 1 or not following


def fields(query: StructuredQuery) -> set[str]:
    equal, following = needed(query)
    return {*equal, *dict(following)}


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


def listed() -> list[tuple[str, Index]]:
    """The composite indexes: collection and fields in their order."""
    return [
        (index["collection"], tuple((field["field_path"], field["order"]) for field in index["fields"]))
        for index in INDEXES["composite"].values()
    ]


def serves(index: tuple[str, Index], query: StructuredQuery) -> bool:
    """Whether it holds the fields of equality first, and then the others exactly."""
    of, parts = index
    equal, following = needed(query)
    return (
        of == collection(query)
        and {path for path, _ in parts[: len(equal)]} == equal
        and parts[len(equal) :] == following
    )


@pytest.mark.parametrize(("ask", "values"), ASKED)
def test_query_has_its_index(ask: Callable[..., AsyncQuery], values: tuple[Any, ...]) -> None:
    query = structured(ask, values)
    if single(query):
        assert not UNINDEXED[collection(query)] & fields(query)
    else:
        assert any(serves(index, query) for index in listed())


def test_every_query_is_compared() -> None:
    defined = {
        function
        for name, function in inspect.getmembers(queries, inspect.isfunction)
        if function.__module__ == queries.__name__ and not name.startswith("_")
    }
    assert {ask for ask, _ in ASKED} == defined


def test_no_index_is_kept_for_nothing() -> None:
    """Each is a write that is paid for."""
    asked = [structured(ask, values) for ask, values in ASKED]
    assert all(any(serves(index, query) for query in asked) for index in listed())
    for name, written in WRITTEN.items():
        alone = [fields(query) for query in asked if single(query) and collection(query) == name]
        assert written - UNINDEXED[name] == set().union(*alone)


def test_what_expires_is_what_the_store_writes() -> None:
    assert INDEXES["expiring"] == {"jobs": "expires"}
