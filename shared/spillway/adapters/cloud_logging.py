"""Log lines as Cloud Logging reads them from a function's output: one JSON object each.

https://docs.cloud.google.com/logging/docs/structured-logging#structured_logging_special_fields
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

Fields = Callable[[], Mapping[str, Any]]
"""What is known of the request that is being answered: fields of an entry."""


class CloudLines(logging.Formatter):
    """Lines with a severity, the place in the source, and the request that they belong to.

    A traceback is part of the message: Error Reporting finds it there.
    """

    def __init__(self, request: Fields):
        super().__init__()
        self._request = request

    def format(self, record: logging.LogRecord) -> str:
        """One line; what JSON has no form for is told as text."""
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}\n{self.formatException(record.exc_info)}"
        entry = {
            "severity": record.levelname,
            "message": message,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logging.googleapis.com/labels": {"logger": record.name},
            "logging.googleapis.com/sourceLocation": {
                "file": record.pathname,
                "line": str(record.lineno),
                "function": record.funcName,
            },
            **self._request(),
        }
        # In ASCII: half a character, as broken bytes are read, would else cost the whole line.
        return json.dumps(entry, default=str)


def request_fields(
    project: str | None, method: str, path: str, trace_id: str | None, span_id: str, *, sampled: bool
) -> Mapping[str, Any]:
    """The fields of a request. Without a project the trace can be searched for, and is not linked."""
    fields: dict[str, Any] = {"httpRequest": {"requestMethod": method, "requestUrl": path}}
    if trace_id:
        fields["logging.googleapis.com/trace"] = f"projects/{project}/traces/{trace_id}" if project else trace_id
        fields["logging.googleapis.com/trace_sampled"] = sampled
    if span_id:
        fields["logging.googleapis.com/spanId"] = span_id
    return fields
