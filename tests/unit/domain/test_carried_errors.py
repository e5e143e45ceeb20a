"""An error that crosses from one process into another is the same error there."""

import json

import pytest

from spillway.adapters.json_api import Throttled
from spillway.domain.carried_errors import KINDS, carried, family, raised
from spillway.errors import (
    BackendFailed,
    BadRequest,
    BrokenAnswer,
    CallerError,
    ContentRefused,
    ContextTooLong,
    KeyRefused,
    MoneySpent,
    NoCapacity,
    NotAllowed,
    Overflow,
    RateLimited,
    RequestRejected,
    TooSlow,
    Unreachable,
)

ERRORS = [
    CallerError("no", status=418, code="teapot", param="pot"),
    BadRequest("the body is empty", status=400, code="malformed_body", param="prompt"),
    RequestRejected("bad", status=422, body={"detail": [{"msg": "bad"}]}, code="rejected"),
    KeyRefused("no key"),
    NotAllowed("not yours"),
    RateLimited("too fast", retry_after_s=2.0),
    ContentRefused("not this"),
    ContextTooLong("too long"),
    Overflow("other"),
    NoCapacity("full", retry_after_s=3.5),
    Unreachable("gone", arrived=False, slow=True, retry_after_s=1.0),
    MoneySpent("spent", retry_after_s=3600.0),
    BrokenAnswer("cut"),
    BackendFailed("500"),
    TooSlow("slow"),
]


def test_every_error_of_both_families_is_tried_here() -> None:
    assert {type(error) for error in ERRORS} == {*family(Overflow), *family(CallerError)}
    assert len(KINDS) == len(ERRORS)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_what_it_was(error: Overflow | CallerError) -> None:
    if isinstance(error, BadRequest):
        error.headers = {"allow": "POST"}
    there = raised(json.loads(json.dumps(carried(error))))
    assert (type(there), str(there), vars(there)) == (type(error), str(error), vars(error))


def test_what_an_adapter_has_made_for_itself_arrives_as_what_it_is_a_kind_of() -> None:
    there = raised(carried(Throttled("slower", retry_after_s=2.0)))
    assert (type(there), there.retry_after_s) == (NoCapacity, 2.0)


@pytest.mark.parametrize("told", [{}, {"class": "SystemExit", "message": "bye"}, {"class": "ANewOne", "message": "x"}])
def test_what_is_not_of_these_families_is_an_overflow(told: dict[str, str]) -> None:
    there = raised(told)
    assert (type(there), str(there), there.retry_after_s) == (Overflow, told.get("message", ""), None)
