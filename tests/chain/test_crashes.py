"""A scan that dies at any step loses nothing and tells nothing twice."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from spillway.domain.redemptions import Redemption
from spillway.ports.redemptions import MOST, Cursor, Finding, Page, Redemptions
from spillway.services.redemptions import Reader, reading
from support.chain import CHAIN_ID, Anvil, Won, anvil, orchestrator
from support.reading import SENDERS, Reading, believed, reading_of, truth


class Died(BaseException):
    """The process is gone: nobody catches this."""


class Mortal:
    """A store under which the process dies at the call of this number, before or after it is done."""

    def __init__(self, inner: Redemptions, dies_at: int, *, done: bool):
        self._inner, self._left, self._done = inner, dies_at, done

    async def cursor(self, name: str) -> Cursor | None:
        return await self._call("cursor", name)

    async def write(self, name: str, cursor: Cursor, findings: Sequence[Finding]) -> Cursor:
        return await self._call("write", name, cursor, findings)

    async def known(self, keys: Sequence[str]) -> dict[str, Redemption]:
        return await self._call("known", keys)

    async def within(self, chain_id: int, first: int, last: int) -> list[Redemption]:
        return await self._call("within", chain_id, first, last)

    async def page(self, **more: Any) -> Page:
        return await self._inner.page(**more)

    async def close(self) -> None:
        await self._inner.close()

    async def _call(self, name: str, *arguments: Any) -> Any:
        self._left -= 1
        if self._left < 0 and not self._done:
            raise Died
        result = await getattr(self._inner, name)(*arguments)
        if self._left < 0:
            raise Died
        return result


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


async def live(scan: Reading, node: Anvil, dies_at: int, *, done: bool) -> None:
    """One life of a scan, which may come to its end."""
    store = Mortal(scan.redemptions, dies_at, done=done)
    reader = Reader(scan.chain, store, reading("scan", CHAIN_ID, node.broker, SENDERS, 0))
    with suppress(Died):
        assert (await reader.round()).problems == []


@pytest.mark.parametrize("dies_at", range(12))
async def test_scan_that_dies_at_any_step_goes_on(node: Anvil, tmp_path: Path, dies_at: int) -> None:
    """It dies before this step and then after it, again and again; the first range is written in two parts."""
    async with reading_of(node, tmp_path / "state.db") as scan:
        for number, count in enumerate((MOST + 5, 3)):
            node.redeem_many(count, Won(orchestrator(number)))
            for done in (False, True):
                await live(scan, node, dies_at, done=done)
                assert believed(await scan.announced()) == await scan.told()
        await scan.round()
        assert await scan.told() == truth(node) == believed(await scan.announced())


@pytest.mark.parametrize("dies_at", range(6))
async def test_correction_that_dies_at_any_step_goes_on(tmp_path: Path, dies_at: int) -> None:
    with anvil() as node:
        async with reading_of(node, tmp_path / "state.db") as scan:
            for number in range(5):
                node.redeem(*[Won(orchestrator(number))] * 3)
            await scan.round()
            node.reorganise(4, [(node.redemption(Won(orchestrator(8))), 2)])
            await live(scan, node, dies_at, done=True)
            await live(scan, node, dies_at, done=False)
            await scan.round()
            assert await scan.told() == truth(node) == believed(await scan.announced())
