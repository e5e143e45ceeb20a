"""The terms of a key as operators write them, and what becomes of them when they are changed."""

import math
from dataclasses import replace

import pytest

from spillway.domain.callers import Limits
from spillway.domain.key_terms import (
    Change,
    checked_limits,
    checked_name,
    checked_origins,
    checked_priority,
    checked_scopes,
    checked_without,
    differences,
)
from spillway.domain.keys import Key
from spillway.errors import BadSettings

KEY = Key(id="0" * 12, name="gif", origins=("https://a.example",), limits=Limits(5.0, 20, 3.0))


def test_scopes_may_be_given_in_any_way_and_have_a_usual_form() -> None:
    assert checked_scopes([]) == ("inference", "jobs")
    assert checked_scopes(["read, inference:llm", "read"]) == ("read", "inference:llm")


def test_origins_are_those_that_browsers_send() -> None:
    given = ["https://App.example/", "http://localhost:3000", "https://app.example:443", "http://[::1]:80"]
    assert checked_origins(given) == ("https://app.example", "http://localhost:3000", "http://[::1]")


@pytest.mark.parametrize(
    "origin", ["*", "null", "https://*.example", "app.example", "https://app.example/page", "ftp://a", "https://me@a"]
)
def test_what_no_browser_sends_or_would_allow_everybody_is_no_origin(origin: str) -> None:
    with pytest.raises(BadSettings, match="must be the origin"):
        checked_origins([origin])


def test_a_burst_is_a_seconds_worth_where_none_is_given() -> None:
    assert [checked_limits(rate, None, None).burst for rate in (0.1, 1, 7.6, None)] == [1, 1, 8, 1]


@pytest.mark.parametrize(
    ("rate", "burst", "usd"),
    [(0.0, None, None), (1e6, None, None), (math.nan, None, None), (None, 5, None), (1.0, 0, None), (None, None, -1)],
)
def test_limits_that_make_no_sense_are_refused(rate: float | None, burst: int | None, usd: float | None) -> None:
    with pytest.raises(BadSettings):
        checked_limits(rate, burst, usd)


def test_other_words_that_make_no_sense_are_refused() -> None:
    for check in (
        lambda: checked_scopes(["inference:everything"]),
        lambda: checked_priority(11),
        lambda: checked_name("a\nb"),
        lambda: checked_name("x" * 101),
    ):
        with pytest.raises(BadSettings):
            check()


def test_what_a_change_does_not_name_stays() -> None:
    assert Change().made(KEY) == KEY
    assert Change(usd_per_day=0).made(KEY) == replace(KEY, limits=Limits(5.0, 20, 0))
    assert Change(burst=7).made(KEY) == replace(KEY, limits=Limits(5.0, 7, 3.0))
    assert Change(scopes=("read",), priority=0, name="").made(KEY) == replace(KEY, scopes=("read",), name="")


def test_a_new_rate_has_a_burst_of_its_own() -> None:
    assert Change(rate=2).made(KEY).limits == Limits(2, 2, 3.0)


def test_limits_and_pages_are_taken_away_by_name() -> None:
    bare = Change(without=checked_without(["rate", "usd-per-day", "origin"])).made(KEY)
    assert (bare.limits, bare.origins) == (Limits(), ())
    with pytest.raises(BadSettings, match="--without scope: use rate, usd-per-day, origin"):
        checked_without(["scope"])


def test_a_burst_without_a_rate_is_refused_when_it_is_changed_too() -> None:
    with pytest.raises(BadSettings, match="beside --rate"):
        Change(burst=5).made(replace(KEY, limits=Limits()))


def test_a_change_is_told_as_it_was_and_as_it_is() -> None:
    assert differences(KEY, KEY) == ""
    told = differences(KEY, Change(usd_per_day=0.5, scopes=("read",), without=frozenset(["rate"])).made(KEY))
    assert told == "scopes inference jobs -> read, rate 5/s, 20 at once -> none, usd_per_day 3 -> 0.5"
