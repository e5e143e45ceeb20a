"""Who sends: the resource of this process's spans and metrics."""

import os
import uuid

from opentelemetry.sdk.resources import Resource


def resource() -> Resource:
    """Named after the function and with an id of its own, unless the standard variables name it otherwise.

    What is told to Resource.create outweighs variables, so nothing is told that they give.
    """
    given = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    own = {
        "service.name": "" if "OTEL_SERVICE_NAME" in os.environ else os.environ.get("K_SERVICE", "spillway"),
        "service.instance.id": str(uuid.uuid4()),
    }
    return Resource.create({name: value for name, value in own.items() if value and f"{name}=" not in given})
