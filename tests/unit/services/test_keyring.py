"""Who holds a key is told from memory, changes are seen within 10 s, and a lost store is outlived."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillway.adapters.memory_store import MemoryStore
from spillway.domain.keys import Key, new_token
from spillway.errors import KeyRefused, Overloaded, StoreUnavailable
from spillway.ports.store import Document
from spillway.services.keyring import FRESH_S, GAP_S, LAST_KNOWN_S, LONGEST_REST_S, RELIST_S, STALE_S, Keyring
from spillway.services.keys import CHANGES, FOLDER, Keys


class Time:
    """Seconds, moved by hand; with real ones added so that what sleeps wakes up."""

    moved = 1_000_000.0

    def __call__(self) -> float:
        return self.moved + asyncio.get_running_loop().time()


class Shaky(MemoryStore):
    """A store that can be away, and counts what it is asked."""

    away = False
    asked = listed = 0

    async def read(self, folder: str, key: str) -> Document | None:
        self._ask()
        return await super().read(folder, key)

    async def list(self, folder: str) -> list[Document]:
        self._ask()
        self.listed += 1
        return await super().list(folder)

    async def replace(self, folder: str, key: str, body: Mapping[str, Any], version: str | None) -> Document:
        self._ask()
        return await super().replace(folder, key, body, version)

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")


class House:
    """An operator and one instance on a store."""

    def __init__(self) -> None:
        self.store, self.time = Shaky(), Time()
        self.keys = Keys(self.store, epoch=self.time, by="me")
        self.ring = self.instance()

    def instance(self) -> Keyring:
        """One more instance."""
        return Keyring(self.store, epoch=self.time, monotonic=self.time)

    async def refuses(self, token: str) -> bool:
        """Whether the instance refuses a key for good."""
        try:
            await self.ring.admit(token)
        except KeyRefused:
            return True
        return False


@pytest.fixture
def house() -> House:
    return House()


async def test_the_holder_of_a_key_is_told_by_its_id(house: House) -> None:
    made = await house.keys.create(Key(id="", name="dapp", priority=3))
    caller = await house.ring.admit(made.token)
    assert (caller.id, caller.name, caller.priority, caller.secret) == (
        made.key.id, "dapp", 3, made.key.webhook_secret
    )  # fmt: skip


async def test_a_key_works_at_once_on_an_instance_that_has_just_looked(house: House) -> None:
    await house.ring.admit((await house.keys.create(Key(id=""))).token)
    await house.ring.admit((await house.keys.create(Key(id=""))).token)


async def test_a_known_key_is_told_without_the_store(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    await house.ring.admit(made.token)
    await asyncio.sleep(0)
    asked = house.store.asked
    for _ in range(100):
        await house.ring.admit(made.token)
    assert house.store.asked - asked <= 1, "only the first use is noted"


async def test_a_revoked_key_is_refused_as_soon_as_the_last_look_is_stale(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    await house.ring.admit(made.token)
    await house.keys.revoke(made.token)
    house.time.moved += STALE_S + 0.1
    assert await house.refuses(made.token)


async def test_under_load_a_revocation_is_seen_sooner_and_nobody_waits(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    await house.ring.admit(made.token)
    await house.keys.revoke(made.key.id)
    house.time.moved += FRESH_S + 0.1
    assert not await house.refuses(made.token)
    await asyncio.sleep(2 * GAP_S)
    assert await house.refuses(made.token)


async def test_a_change_whose_announcement_was_lost_is_seen_in_a_minute(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    await house.ring.admit(made.token)
    found = await house.store.read(FOLDER, made.key.id)
    assert found is not None
    await house.store.write(FOLDER, made.key.id, Key.read(found.body).revoked(1.0, "me").body())
    house.time.moved += RELIST_S + 1
    assert await house.refuses(made.token)


async def test_unchanged_keys_are_not_read_again(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    await house.ring.admit(made.token)
    listed = house.store.listed
    for _ in range(3):
        house.time.moved += STALE_S + 0.1
        await house.ring.admit(made.token)
    assert house.store.listed == listed


async def test_both_secrets_work_during_a_rotation(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    rotated = await house.keys.rotate(made.key.id, 60.0)
    assert rotated.key.id == made.key.id
    assert not await house.refuses(rotated.token)
    assert not await house.refuses(made.token)
    house.time.moved += 61.0
    assert await house.refuses(made.token)
    assert not await house.refuses(rotated.token)


async def test_a_lost_store_leaves_known_keys_working_and_unknown_ones_waiting(house: House) -> None:
    made, revoked = [await house.keys.create(Key(id="")) for _ in range(2)]
    await house.keys.revoke(revoked.key.id)
    await house.ring.admit(made.token)
    house.store.away = True
    house.time.moved += 60.0
    assert (await house.ring.admit(made.token)).id == made.key.id
    with pytest.raises(Overloaded):
        await house.ring.admit(new_token("0" * 12, bytes(32)))
    assert await house.refuses(revoked.token), "what was revoked stays so"
    assert await house.refuses("nonsense")


async def test_known_keys_do_not_go_on_for_ever(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    await house.ring.admit(made.token)
    house.store.away = True
    house.time.moved += LAST_KNOWN_S + 1.0
    with pytest.raises(Overloaded):
        await house.ring.admit(made.token)


async def test_an_instance_that_starts_without_its_store_knows_nobody_and_says_so(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    house.store.away = True
    with pytest.raises(Overloaded):
        await house.ring.admit(made.token)
    house.store.away = False
    house.time.moved += 1.0
    assert (await house.ring.admit(made.token)).id == made.key.id


async def test_a_store_that_is_away_is_left_alone(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    await house.ring.admit(made.token)
    house.store.away = True
    house.time.moved += 60.0
    asked = house.store.asked
    for _ in range(100):
        await house.ring.admit(made.token)
    assert house.store.asked - asked <= 2


async def test_keys_that_are_made_up_reach_the_store_a_few_times_a_second_at_most(house: House) -> None:
    await house.ring.origins()
    asked, began = house.store.asked, asyncio.get_running_loop().time()
    made_up = [new_token("0" * 12, n.to_bytes(32)) for n in range(200)]
    assert all(await asyncio.gather(*(house.refuses(token) for token in made_up)))
    took_s = asyncio.get_running_loop().time() - began
    assert house.store.asked - asked <= 2 + took_s / GAP_S


async def test_the_first_use_is_written_down_once(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    others = [house.instance() for _ in range(3)]
    for ring in (house.ring, *others, *others):
        await ring.admit(made.token)
        house.time.moved += STALE_S + 0.1
        await ring.admit(made.token)
        await asyncio.sleep(0.01)
    [key] = await house.keys.list()
    assert [event.what for event in key.events] == ["created", "first used"]
    assert key.used_on == "1970-01-12"


async def test_a_first_use_that_could_not_be_written_down_is_written_later(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    await house.ring.admit(made.token)
    house.store.away = True
    await asyncio.sleep(0.01)
    house.store.away = False
    assert (await house.keys.list())[0].first_used_at is None
    house.time.moved += STALE_S + 0.1
    await house.ring.admit(made.token)
    await asyncio.sleep(0.01)
    house.time.moved += STALE_S + 0.1
    await house.ring.admit(made.token)
    await asyncio.sleep(0.01)
    assert (await house.keys.list())[0].first_used_at is not None


async def test_pages_and_the_highest_priority_are_those_of_keys_that_work(house: House) -> None:
    await house.keys.create(Key(id="", origins=("https://a.example",), priority=-1))
    ended = await house.keys.create(Key(id="", origins=("https://b.example",), priority=5))
    assert await house.ring.origins() == {"https://a.example", "https://b.example"}
    assert house.ring.highest() == 5
    await house.keys.revoke(ended.key.id)
    house.time.moved += STALE_S + 0.1
    assert await house.ring.origins() == {"https://a.example"}
    assert house.ring.highest() == 0


async def test_what_a_request_left_behind_has_its_holder_for_as_long_as_the_key_works(house: House) -> None:
    made = await house.keys.create(Key(id="", name="dapp"))
    caller = await house.ring.known(made.key.id)
    assert caller is not None
    assert caller.name == "dapp"
    await house.keys.revoke(made.key.id)
    house.time.moved += STALE_S + 0.1
    assert await house.ring.known(made.key.id) is None
    assert await house.ring.known("nobody") is None


async def test_a_key_that_can_not_be_read_ends_no_other(house: House) -> None:
    made = await house.keys.create(Key(id=""))
    await house.store.write(FOLDER, "later", {"version": 2})
    await house.store.write(FOLDER, "broken", {"version": 1})
    await house.store.write(CHANGES, "latest", {})
    assert (await house.ring.admit(made.token)).id == made.key.id


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.25, 1.0, 3.1, 6.0, 8.1, 60.0]),
            st.sampled_from(["ask", "ask", "ask", "ask", "revoke", "away", "back"]),
        ),
        max_size=40,
    )
)
@settings(max_examples=100)
def test_no_order_of_events_lets_a_revoked_key_in_for_longer_than_is_promised(steps: list[tuple[float, str]]) -> None:
    """Longer only while the store is away, and for as long as it is left alone after."""

    async def play() -> None:
        house, revoked_at, back_at = House(), math.inf, -math.inf
        token = (await house.keys.create(Key(id=""))).token
        await house.ring.admit(token)
        for passed_s, what in steps:
            house.time.moved += passed_s
            if what in ("away", "back"):
                back_at = house.time() if house.store.away else back_at
                house.store.away = what == "away"
            elif what == "revoke" and not house.store.away and revoked_at == math.inf:
                await house.keys.revoke(token)
                revoked_at = house.time()
            elif what == "ask":
                let_in = not await house.refuses(token)
                promised = revoked_at + STALE_S >= house.time() or house.store.away
                assert not let_in or promised or house.time() - back_at <= LONGEST_REST_S
                assert let_in or revoked_at < math.inf
                await asyncio.sleep(0)

    asyncio.run(play())
