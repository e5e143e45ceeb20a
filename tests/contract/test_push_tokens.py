"""Whose calls are let in: Google's tokens, checked against a certificate server's keys."""

import base64
import json
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.adapters.google_tokens import FRESH_S, LEAST_S, GoogleTokens
from spillway.adapters.http import HttpPool
from spillway.errors import BadRequest, Overflow
from support.google import ACCOUNT, AUDIENCE, Google

There = tuple[Google, GoogleTokens, list[float]]


@pytest.fixture
async def there() -> AsyncIterator[There]:
    google, pool, now = Google(), HttpPool(), [0.0]
    async with google.serve():
        yield google, tokens_of(google, pool, now), now
    await pool.aclose()


def tokens_of(google: Google, pool: HttpPool, now: list[float], account: str | None = ACCOUNT) -> GoogleTokens:
    return GoogleTokens(
        pool, audience=AUDIENCE, certs_url=google.certs_url, account=account, clock=lambda: now[0], call_s=1.0
    )


async def refused(tokens: GoogleTokens, token: str) -> int:
    with pytest.raises(BadRequest) as caught:
        await tokens.check(token)
    assert token not in str(caught.value)
    return caught.value.status


async def test_a_true_token_is_taken_and_certificates_are_asked_for_once(there: There) -> None:
    google, tokens, _ = there
    for _ in range(3):
        await tokens.check(google.token())
    assert google.asked == 1


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"aud": "https://elsewhere.example"}, 401),
        ({"aud": None}, 401),
        ({"exp": int(time.time()) - 60, "iat": int(time.time()) - 3660}, 401),
        ({"iat": int(time.time()) + 600}, 401),
        ({"iss": "https://evil.example"}, 401),
        ({"email": "other@project.iam.gserviceaccount.com"}, 403),
        ({"email": None}, 403),
        ({"email_verified": False}, 403),
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(there: There, claims: dict[str, object], status: int) -> None:
    google, tokens, _ = there
    assert await refused(tokens, google.token(**claims)) == status


async def test_without_an_account_any_of_googles_tokens_for_the_audience_is_taken(there: There) -> None:
    google, _, now = there
    pool = HttpPool()
    await tokens_of(google, pool, now, None).check(google.token(email="other@example.com"))
    await pool.aclose()


async def test_a_token_signed_by_another_key_is_refused(there: There) -> None:
    _, tokens, _ = there
    forger = Google()
    assert await refused(tokens, forger.token()) == 401


async def test_an_unsigned_token_is_refused(there: There) -> None:
    google, tokens, _ = there
    _, claims, _ = google.token().split(".")
    for algorithm in ("none", "HS256"):
        header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "first"}).encode()).decode().rstrip("=")
        assert await refused(tokens, f"{header}.{claims}.") == 401


async def test_a_new_key_is_asked_for_but_invented_ones_not_each_time(there: There) -> None:
    google, tokens, now = there
    await tokens.check(google.token())
    google.new_key("second")
    assert await refused(tokens, google.token("second")) == 401
    now[0] += LEAST_S + 1
    await tokens.check(google.token("second"))
    assert google.asked == 2


async def test_old_certificates_serve_while_new_ones_cannot_be_had(there: There) -> None:
    google, tokens, now = there
    await tokens.check(google.token())
    google.broken, now[0] = True, FRESH_S + 1
    await tokens.check(google.token())


async def test_without_any_certificate_nobody_can_tell(there: There) -> None:
    google, tokens, _ = there
    token = google.token()
    google.kill()
    with pytest.raises(Overflow):
        await tokens.check(token)


PARTS = st.one_of(
    st.text(max_size=30),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["alg", "kid", "x"]), inner),
        max_leaves=4,
    ).map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode()),
)


@given(parts=st.lists(PARTS, max_size=4))
async def test_rubbish_is_refused(parts: list[str]) -> None:
    tokens = GoogleTokens(HttpPool(), audience=AUDIENCE, certs_url="http://127.0.0.1:1/certs")
    tokens._certs, tokens._asked_at = {"k": "no certificate"}, time.monotonic()
    with pytest.raises(BadRequest):
        await tokens.check(".".join(parts))
