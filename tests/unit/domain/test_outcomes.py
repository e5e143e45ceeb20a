"""The table of outcomes."""

import pytest

from spillway.domain.outcomes import hosted_outcome, kind_of, retry_after_seconds, subnet_outcome
from spillway.errors import (
    BackendFailed,
    BrokenAnswer,
    CallerError,
    ContentRefused,
    ContextTooLong,
    NoCapacity,
    Overflow,
    RequestRejected,
    SpillwayError,
    TooSlow,
    Unreachable,
)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, RequestRejected) for status in (400, 401, 413, 415, 422)),
        *((status, NoCapacity) for status in (429, 503)),
        (500, BackendFailed),
        (408, TooSlow),
        *((status, BrokenAnswer) for status in (201, 202, 204)),
        *((status, Unreachable) for status in (302, 402, 403, 404, 405, 501, 502, 504, 520)),
    ],
)
def test_subnet_status_has_one_outcome(status: int, outcome: type[SpillwayError]) -> None:
    assert type(subnet_outcome(status, "why")) is outcome


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, NoCapacity) for status in (402, 429, 503, 529)),
        *((status, BackendFailed) for status in (400, 401, 403, 404, 422, 500, 501)),
        *((status, TooSlow) for status in (408, 504)),
        (502, Unreachable),
    ],
)
def test_hosted_status_has_one_outcome(status: int, outcome: type[SpillwayError]) -> None:
    assert type(hosted_outcome(status, "why")) is outcome


@pytest.mark.parametrize(
    "message",
    [
        "NSFW content detected. Try running it again, or try a different prompt.",
        "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
        "Your request was rejected by our safety system.",
    ],
)
def test_safety_refusal_goes_back_to_the_caller(message: str) -> None:
    assert isinstance(hosted_outcome(400, message), ContentRefused)


def test_safety_refusal_is_known_by_its_code() -> None:
    body = {"error": {"message": "no", "code": "content_policy_violation"}}
    assert isinstance(hosted_outcome(400, "no", body=body), ContentRefused)


def test_prompt_too_long_is_an_outcome_of_its_own() -> None:
    body = {"error": {"message": "too long", "code": "context_length_exceeded"}}
    assert isinstance(subnet_outcome(400, "too long", body=body), ContextTooLong)
    assert isinstance(hosted_outcome(400, "too long", body=body), ContextTooLong)


def test_retry_after_is_kept() -> None:
    error = subnet_outcome(503, "full", retry_after_s=7.0)
    assert isinstance(error, Overflow)
    assert error.retry_after_s == 7.0


def test_only_overflows_and_caller_errors_come_out() -> None:
    for status in range(201, 600):
        assert isinstance(subnet_outcome(status, ""), Overflow | CallerError)
        assert isinstance(hosted_outcome(status, ""), Overflow | CallerError)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("-3", None),
        ("soon", None),
        ("nan", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
    ],
)
def test_retry_after_header_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, now_epoch_s=60.0) == seconds


def test_every_error_of_the_tree_has_a_word() -> None:
    words = {
        kind_of(error)
        for error in (
            NoCapacity(""),
            Unreachable(""),
            BrokenAnswer(""),
            BackendFailed(""),
            TooSlow(""),
            ContentRefused(""),
        )
    }
    assert words == {"no-capacity", "unreachable", "broken-answer", "failed", "too-slow", "refused"}
    assert kind_of(None) == "served"
