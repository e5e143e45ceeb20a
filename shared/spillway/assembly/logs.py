"""How a function logs: in the cloud as Cloud Logging reads it, elsewhere as it always did."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from spillway.adapters.cloud_logging import CloudLines, request_fields
from spillway.edge.asking import asked
from spillway.settings import Settings

FIRESTORE = "firestore://"


def log_for_the_cloud(settings: Settings) -> None:
    """Where K_SERVICE says that this is Cloud Run: JSON lines on the standard output. Each door calls it once."""
    if not os.environ.get("K_SERVICE"):
        return
    project = project_of(settings)

    def request() -> Mapping[str, Any]:
        of = asked()
        if of is None:
            return {}
        trace = of.trace
        return request_fields(
            project, of.method, of.path,
            trace.trace_id if trace else None, trace.span_id if trace else "", sampled=bool(trace and trace.sampled),
        )  # fmt: skip

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(CloudLines(request))
    # Libraries tell of every call at INFO; the house's own lines are few.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("spillway").setLevel(logging.INFO)


def project_of(settings: Settings) -> str | None:
    """Google's project: as the environment names it, or else where the state is."""
    state = settings.state.removeprefix(FIRESTORE).partition("/")[0] if settings.state.startswith(FIRESTORE) else None
    return os.environ.get("GOOGLE_CLOUD_PROJECT") or state
