"""Errors as JSON and back, so that a call between two of the house's own processes raises what the other raised."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from spillway.errors import CallerError, Overflow

Kind = TypeVar("Kind")


def carried(error: Overflow | CallerError) -> dict[str, Any]:
    """A JSON object that holds all that the error tells."""
    return {
        "class": next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in KINDS),
        "message": str(error),
        **vars(error),
    }


def raised(told: Mapping[str, Any]) -> Overflow | CallerError:
    """The error of `carried`. What a later version tells that this one doesn't know is an Overflow of its words."""
    kind = KINDS.get(str(told.get("class")), Overflow)
    error = kind.__new__(kind)
    error.args = (str(told.get("message", "")),)
    vars(error).update({name: value for name, value in told.items() if name != "class"})
    if isinstance(error, Overflow):
        vars(error).pop("message", None)
        vars(error).setdefault("retry_after_s", None)
    return error


def family(root: type[Kind]) -> Iterator[type[Kind]]:
    """A class and all below it in the tree of `errors`; those that an adapter has made for itself stay with it."""
    if root.__module__ == Overflow.__module__:
        yield root
    for kind in root.__subclasses__():
        yield from family(kind)


KINDS: Mapping[str, type[Overflow] | type[CallerError]] = {
    **{kind.__name__: kind for kind in family(Overflow)},
    **{kind.__name__: kind for kind in family(CallerError)},
}
