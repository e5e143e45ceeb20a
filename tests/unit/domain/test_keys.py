"""Keys of dApps: their form, what is kept of them, and what becomes of them."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.callers import Limits
from spillway.domain.keys import (
    MOST_EVENTS,
    MOST_SECRETS,
    Key,
    Secret,
    hashed,
    id_in,
    new_id,
    new_token,
    new_webhook_secret,
)

ID_CHANCE, CHANCE = st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32)
DAY_S = 86400.0


def token(n: int = 1, key_id: str = "0" * 12) -> str:
    """A key out of a known chance."""
    return new_token(key_id, n.to_bytes(32))


def key(*tokens: str, **more: object) -> Key:
    """A key with these secrets."""
    return replace(Key(id="0" * 12, secrets=tuple(Secret(hashed(one)) for one in tokens)), **more)  # type: ignore[arg-type]


@given(ID_CHANCE, CHANCE)
def test_a_key_has_the_form_that_scanners_look_for(id_chance: bytes, chance: bytes) -> None:
    made = new_token(new_id(id_chance), chance)
    assert re.fullmatch(r"sw_[0-9a-z]{12}_[0-9A-Za-z]{49}", made)
    assert id_in(made) == new_id(id_chance)


@given(CHANCE, st.integers(0, 64), st.sampled_from("0aA_ ~"))
def test_a_key_with_one_wrong_character_is_none(chance: bytes, place: int, char: str) -> None:
    made = new_token("0" * 12, chance)
    changed = made[:place] + char + made[place + 1 :]
    assert (id_in(changed) is None) == (changed != made)


@pytest.mark.parametrize("text", ["", "sw_", "sk-proj-1234", "sw_" + "0" * 62, token() + "\n", token() + "0", "ü" * 65])
def test_what_is_no_key_has_no_id(text: str) -> None:
    assert id_in(text) is None


def test_all_256_bits_of_chance_are_in_a_key() -> None:
    assert len({new_token("0" * 12, (2**n).to_bytes(32)) for n in range(256)}) == 256


def test_a_webhook_secret_is_of_standard_webhooks() -> None:
    assert new_webhook_secret(bytes(32)) == "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def test_a_key_is_opened_by_its_own_secret_alone() -> None:
    kept = key(token(1))
    assert kept.opens(hashed(token(1)), 0.0)
    assert not kept.opens(hashed(token(2)), 0.0)


def test_nothing_that_is_kept_shows_the_key() -> None:
    assert token(1)[16:] not in json.dumps(key(token(1)).body())


def test_what_is_kept_is_read_as_it_was() -> None:
    kept = key(token(1), name="ü", origins=("https://a.example",), limits=Limits(2.5, 7, 1.5))
    kept = kept.rotated(hashed(token(2)), 5.0, 60.0, "me").used(6.0).revoked(7.0, "me")
    assert Key.read(json.loads(json.dumps(kept.body()))) == kept


def test_a_key_of_a_later_release_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="version 2"):
        Key.read({**key().body(), "version": 2})


def test_after_a_rotation_both_secrets_work_until_the_grace_ends() -> None:
    kept = key(token(1)).rotated(hashed(token(2)), 100.0, 60.0, "me")
    assert [kept.opens(hashed(token(n)), 159.9) for n in (1, 2)] == [True, True]
    assert [kept.opens(hashed(token(n)), 160.0) for n in (1, 2)] == [False, True]


def test_a_second_rotation_does_not_lengthen_the_first_grace() -> None:
    kept = key(token(1)).rotated(hashed(token(2)), 0.0, 60.0, "me").rotated(hashed(token(3)), 30.0, 60.0, "me")
    assert [kept.opens(hashed(token(n)), 60.0) for n in (1, 2, 3)] == [False, True, True]


def test_a_new_webhook_secret_signs_at_once_and_changes_nothing_else() -> None:
    kept = key(token(1), webhook_secret="whsec_a")
    changed = kept.signing("whsec_b", 5.0, "me")
    assert changed.caller().secret == "whsec_b"
    assert changed.opens(hashed(token(1)), 5.0)
    assert [event.what for event in changed.events] == ["webhook secret replaced"]


def test_secrets_and_events_are_bounded_and_the_newest_are_kept() -> None:
    kept = key(token(0))
    for n in range(1, 60):
        kept = kept.rotated(hashed(token(n)), float(n), DAY_S, "me")
    assert len(kept.secrets) == MOST_SECRETS
    assert kept.opens(hashed(token(59)), 60.0)
    assert (len(kept.events), kept.events[-1].at) == (MOST_EVENTS, 59.0)


def test_a_revoked_key_opens_nothing_and_is_revoked_once() -> None:
    kept = key(token(1)).revoked(5.0, "me")
    assert not kept.opens(hashed(token(1)), 5.0)
    assert kept.revoked(6.0, "you") == kept


def test_the_first_use_is_an_event_and_each_day_is_noted() -> None:
    kept = key(token(1)).used(0.0).used(DAY_S)
    assert (kept.first_used_at, kept.used_on) == (0.0, "1970-01-02")
    assert [event.what for event in kept.events] == ["first used"]


def test_a_callers_identity_does_not_show_its_secret() -> None:
    caller = key(token(1), webhook_secret="whsec_x").caller()
    assert caller.secret == "whsec_x"
    assert "whsec_x" not in repr(caller)
