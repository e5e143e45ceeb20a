"""The official SDKs send a key as it is wanted, and say in their own errors that it was revoked."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

import openai
import pytest
from livepeer_ai import Livepeer
from livepeer_ai.models import errors
from openai import OpenAI

from sdk.conftest import StandIns, front_door
from spillway.assembly.state import open_store
from spillway.domain.keys import Key
from spillway.services.keys import Keys
from spillway.settings import Settings


@dataclass(frozen=True, slots=True)
class Keyed:
    """A front door that asks for keys: one that works, and one that was revoked."""

    url: str
    key: str
    revoked: str


@pytest.fixture(scope="module")
def keyed(stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    directory = tmp_path_factory.mktemp("keyed")
    state = f"sqlite:///{directory}/state.db"
    key, revoked = asyncio.run(made(state))
    with front_door(stand_ins, stand_ins.subnet, directory, SPILLWAY_STATE=state, SPILLWAY_AUTH="keys") as url:
        yield Keyed(url, key, revoked)


async def made(state: str) -> tuple[str, str]:
    """Two keys, of which the second was revoked."""
    store = open_store(Settings(state=state))
    keys = Keys(store, epoch=time.time, by="me")
    working, ended = [await keys.create(Key(id="")) for _ in range(2)]
    await keys.revoke(ended.key.id)
    await store.close()
    return working.token, ended.token


def paint(keyed: Keyed, key: str) -> str:
    """Who made a picture, by Livepeer's SDK."""
    with Livepeer(http_bearer=key, server_url=keyed.url, timeout_ms=20_000) as livepeer:
        answer = livepeer.generate.text_to_image(request={"prompt": "a lighthouse"})
    return str(answer.http_meta.response.headers["x-spillway-served-by"])


def talk(keyed: Keyed, key: str) -> str | None:
    """What was said, by OpenAI's SDK."""
    with OpenAI(base_url=f"{keyed.url}/v1", api_key=key, max_retries=0, timeout=20) as client:
        said = client.chat.completions.create(model="any", messages=[{"role": "user", "content": "hi"}])
    return said.choices[0].message.content


def test_livepeers_sdk_is_let_in_with_a_key(keyed: Keyed) -> None:
    assert paint(keyed, keyed.key) == "subnet"


def test_openais_sdk_is_let_in_with_a_key(keyed: Keyed) -> None:
    assert talk(keyed, keyed.key)


@pytest.mark.parametrize("which", ["revoked", "made up"])
def test_livepeers_sdk_tells_that_a_key_works_no_more(keyed: Keyed, which: str) -> None:
    with pytest.raises(errors.HTTPError) as refused:
        paint(keyed, keyed.revoked if which == "revoked" else "sk-made-up")
    assert refused.value.data.detail.msg.startswith(("this key is not known", "that is no key"))


@pytest.mark.parametrize("which", ["revoked", "made up"])
def test_openais_sdk_tells_that_a_key_works_no_more(keyed: Keyed, which: str) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        talk(keyed, keyed.revoked if which == "revoked" else "sk-made-up")
    assert refused.value.code == "invalid_api_key"
