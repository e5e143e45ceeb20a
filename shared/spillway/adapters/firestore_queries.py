"""The queries to Firestore. Each that asks for several fields needs a composite index in production, which
Terraform makes from firestore_indexes.json of its module `state`; a test holds the two together.
"""

import math

from google.cloud.firestore_v1.async_collection import AsyncCollectionReference
from google.cloud.firestore_v1.async_query import AsyncQuery
from google.cloud.firestore_v1.base_query import BaseQuery, FieldFilter


def claimable(jobs: AsyncCollectionReference, lane: str, now: float = math.inf) -> AsyncQuery:
    """A lane's jobs that a worker may take up, in their order; without `now` all that haven't ended."""
    return _of(jobs, lane).where(filter=_over(False)).where(filter=FieldFilter("due", "<=", now)).order_by("place")


def callers_last(jobs: AsyncCollectionReference, lane: str, caller: str) -> AsyncQuery:
    """A caller's jobs of a lane that haven't ended, from the last on."""
    own = _of(jobs, lane).where(filter=FieldFilter("caller", "==", caller)).where(filter=_over(False))
    return own.order_by("place", direction=BaseQuery.DESCENDING)


def ahead(jobs: AsyncCollectionReference, lane: str, place: str) -> AsyncQuery:
    """A lane's queued jobs before a place."""
    return in_status(jobs, lane, "queued").where(filter=FieldFilter("place", "<", place))


def queued(jobs: AsyncCollectionReference, lane: str) -> AsyncQuery:
    """A lane's queued jobs in their order, in a worker's hand or not. Its index is that of `ahead`."""
    return in_status(jobs, lane, "queued").order_by("place")


def in_status(jobs: AsyncCollectionReference, lane: str, status: str) -> AsyncQuery:
    """A lane's jobs in a status."""
    return _of(jobs, lane).where(filter=FieldFilter("status", "==", status))


def until(jobs: AsyncCollectionReference, field: str, now: float) -> AsyncQuery:
    """Jobs of which a time has come (`due`, `webhook_at`), the longest due first."""
    return jobs.where(filter=FieldFilter(field, "<=", now)).order_by(field)


def changed_since(jobs: AsyncCollectionReference, at: float) -> AsyncQuery:
    """Jobs whose last change is not older, the oldest first; no more of them than is told."""
    changed = jobs.where(filter=FieldFilter("changed_at", ">=", at)).order_by("changed_at")
    return changed.select(["id", "sequence", "changed_at"])


def finished_before(jobs: AsyncCollectionReference, at: float) -> AsyncQuery:
    """Jobs that ended before `at`, the oldest first."""
    return jobs.where(filter=FieldFilter("finished_at", "<", at)).order_by("finished_at")


def stamped_before(documents: AsyncCollectionReference, stamp: str) -> AsyncQuery:
    """A folder's documents whose stamp comes before this one, the oldest first."""
    return documents.where(filter=FieldFilter("stamp", "<", stamp)).order_by("stamp")


def _of(jobs: AsyncCollectionReference, lane: str) -> AsyncQuery:
    return jobs.where(filter=FieldFilter("lane", "==", lane))


def _over(over: bool) -> FieldFilter:
    return FieldFilter("over", "==", over)
