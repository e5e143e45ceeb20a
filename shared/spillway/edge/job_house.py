"""What callers see of jobs is made of."""

from dataclasses import dataclass
from functools import cached_property

from spillway.edge.idempotency import Once
from spillway.edge.later import Later
from spillway.services.changes import Changes
from spillway.services.idempotency import Idempotency
from spillway.services.job_views import JobViews
from spillway.services.jobs import JobDesk


@dataclass(frozen=True)
class JobHouse:
    """All of it."""

    desk: JobDesk
    views: JobViews
    changes: Changes
    idempotency: Idempotency

    @cached_property
    def later(self) -> Later:
        """Takes requests in as jobs."""
        return Later(self.desk, self.views)

    @cached_property
    def once(self) -> Once:
        """Answers requests that carry a key, once each."""
        return Once(self.idempotency)
