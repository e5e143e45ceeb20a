"""What an instance calls itself in documents that others read."""

import uuid


def own_name(name: str) -> str:
    """The name that it has, or a new one where that is empty.

    It is made when it is first needed, not at the start: processes that are forked after that must not share one.
    """
    return name or uuid.uuid4().hex[:16]
