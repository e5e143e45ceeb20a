"""Names of jobs' files, which the house makes and no caller does: safe as paths and as names of objects."""

import re

_NAME = re.compile(r"[A-Za-z0-9-][A-Za-z0-9.-]*(/[A-Za-z0-9-][A-Za-z0-9.-]*)*")
LONGEST = 200


def checked(name: str) -> str:
    """The name as it is. Raises ValueError for one that could lead elsewhere."""
    if len(name) > LONGEST or not _NAME.fullmatch(name):
        raise ValueError(f"{name[:LONGEST]!r} is no name of a file")
    return name
