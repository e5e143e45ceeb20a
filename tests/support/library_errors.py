"""Every error that a library knows, and one of each."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any


def errors_of(module: Any, base: type[BaseException]) -> Iterator[type[BaseException]]:
    """The errors under `base` that stand in a module; warnings are none."""
    for name in dir(module):
        found = getattr(module, name)
        if inspect.isclass(found) and issubclass(found, base) and not issubclass(found, Warning):
            yield found


def instance(error: type[BaseException], *candidates: Sequence[Any]) -> BaseException:
    """One of them, made with the first arguments that its constructor takes."""
    for arguments in candidates:
        try:
            return error(*arguments)
        except (TypeError, AttributeError):
            continue
    return error.__new__(error)
