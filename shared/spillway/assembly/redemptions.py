"""Puts together what reads redemptions from the chain, and where they are kept."""

import asyncio
import logging
from dataclasses import dataclass

from spillway.assembly.kept import Kept, open_kept
from spillway.assembly.watch import Watch, open_watch
from spillway.errors import BadSettings, ChainError
from spillway.ports.announcements import Bell
from spillway.ports.redemptions import Chain
from spillway.services.announcing import call_announcer
from spillway.services.redemptions import Reader, Report, reading
from spillway.services.rounds import REDEMPTIONS
from spillway.settings import Settings

log = logging.getLogger("spillway.redemptions")

WITHIN_S = 45.0
"""After so long a round leaves the rest to the next one, which begins a minute after it."""
ARBITRUM_ONE = 42161
FIRST_BLOCKS = {ARBITRUM_ONE: 160_000_000}
"""From December 2023: older than the AI subnet, so that none of its tickets is."""


@dataclass(frozen=True, slots=True)
class House:
    """What the readings are made of."""

    settings: Settings
    chain: Chain
    kept: Kept

    def scan(self) -> Reader:
        """The reading that goes on as the chain does."""
        first = self.settings.start_block
        if first is None:
            first = FIRST_BLOCKS.get(self.settings.chain_id, 0)
        return self._reader("scan", first)

    def backfill(self, first: int, *, told: bool) -> Reader:
        """A reading of the past from a block on."""
        return self._reader("backfill", first, told=told)

    async def close(self) -> None:
        """Let go of everything."""
        await self.chain.close()
        await self.kept.close()

    def _reader(self, kind: str, first: int, *, told: bool = True) -> Reader:
        settings = self.settings
        what = reading(kind, settings.chain_id, settings.ticket_broker, settings.senders, first, told=told)
        return Reader(self.chain, self.kept.redemptions, what)


class TimedRounds:
    """Rounds of the scan as a scheduler calls them, in bounded time; none where there is no node to ask.

    After each, the announcer is called where something waits for it.
    """

    def __init__(self, house: House | None, bell: Bell | None, watch: Watch):
        self._house, self._bell, self._watch = house, bell, watch
        self._reader = house.scan() if house else None

    async def round(self) -> Report:
        """One round."""
        # Side by side, so that neither waits for the other.
        report, _ = await asyncio.gather(self._read(), self._watch.look())
        await self._sum_up(report)
        if self._bell and (problem := await call_announcer(self._watch.outbox, self._bell)):
            report.problems.append(problem)
        if report.whole and not report.skipped:
            await self._watch.rounds.ended(REDEMPTIONS)
        return report

    async def _read(self) -> Report:
        if self._reader is None:
            return Report(skipped="SPILLWAY_RPC_URL is not set")
        try:
            return await self._reader.round(within_s=WITHIN_S)
        except BadSettings as error:
            # A node that could not be asked at the start is of another chain.
            log.error("%s", error)  # noqa: TRY400 (the story says it all)
            return Report(problems=[str(error)], alarm=True)

    async def _sum_up(self, report: Report) -> None:
        """What is over by the time of the last block that was read."""
        if self._house is None or report.scanned_to is None:
            return
        try:
            block = await self._house.chain.block(report.scanned_to)
        except ChainError as error:
            log.info("summaries are left for the next round: %s", error)
        else:
            await self._watch.sum_up(block.timestamp)

    async def close(self) -> None:
        """Let go of everything."""
        await self._watch.close()
        if self._house:
            await self._house.close()
        if self._bell:
            await self._bell.close()


def timed_rounds(settings: Settings, bell: Bell | None = None) -> TimedRounds:
    """`bell` calls the announcer. Nothing is connected yet. Raises BadSettings."""
    return TimedRounds(
        open_house(settings) if settings.rpc_url else None, bell, open_watch(settings, open_kept(settings))
    )


def open_house(settings: Settings, *, patience_s: float | None = None) -> House:
    """Nothing is connected yet; nodes that say "not now" are waited for for `patience_s`. Raises BadSettings."""
    if settings.state.startswith("memory:"):
        raise BadSettings("SPILLWAY_STATE: memory:// would forget which redemptions are known")
    kept = open_kept(settings)
    return House(settings, open_chain(settings, patience_s=patience_s), kept)


def open_chain(settings: Settings, *, patience_s: float | None = None) -> Chain:
    """The chain of the settings. Raises BadSettings."""
    if settings.rpc_url is None:
        raise BadSettings(f"SPILLWAY_RPC_URL: set it to the URL of a node of chain {settings.chain_id}")
    # web3 takes 0.7 s to import.
    from spillway.adapters.arbitrum import Arbitrum  # noqa: PLC0415
    from spillway.adapters.chain_decorations import ARBITRUM_ONE as CONTRACTS  # noqa: PLC0415
    from spillway.adapters.chain_decorations import ChainDecorations, Contracts  # noqa: PLC0415
    from spillway.adapters.chain_nodes import PATIENCE_S, Nodes  # noqa: PLC0415
    from spillway.adapters.ens_names import EnsNames  # noqa: PLC0415
    from spillway.adapters.json_rpc import Node  # noqa: PLC0415

    broker, chain_id = settings.ticket_broker, settings.chain_id
    patience_s = PATIENCE_S if patience_s is None else patience_s
    nodes = Nodes([Node(url) for url in settings.rpc_url], chain_id=chain_id, broker=broker, patience_s=patience_s)
    ens = EnsNames(Node(settings.ens_rpc_url)) if settings.ens_rpc_url else None
    contracts = CONTRACTS if chain_id == ARBITRUM_ONE else Contracts()
    return Arbitrum(
        nodes,
        chain_id=chain_id,
        broker=broker,
        senders=settings.senders,
        confirmations=settings.confirmations,
        decorator=ChainDecorations(nodes, contracts, broker, ens=ens),
    )


async def check_chain(settings: Settings) -> None:
    """Raises BadSettings where a node says that this is another chain, or that there is no such contract on it."""
    chain = open_chain(settings, patience_s=0.0)
    try:
        await chain.check()
    except ChainError as error:
        log.warning("the chain can't be reached now, rounds go on trying: %s", error)
    finally:
        await chain.close()
