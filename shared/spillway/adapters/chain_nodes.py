"""Several nodes of one chain: asked in turn, and against each other."""

import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_before_delay

from spillway.adapters.json_rpc import Node
from spillway.domain.chain_answers import read_data, read_quantity
from spillway.errors import BadSettings, ChainError, ChainTooMuch, ChainUnavailable, ChainWrong
from spillway.ports import Clock

T = TypeVar("T")
Job = Callable[[Node], Awaitable[T]]

REST_S = 30.0
PATIENCE_S = 6.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
log = logging.getLogger("spillway.chain")


class Nodes:
    """The nodes of a chain with a contract at `broker`. One that gave no answer is asked last for a while."""

    def __init__(
        self,
        nodes: Sequence[Node],
        *,
        chain_id: int,
        broker: str,
        patience_s: float = PATIENCE_S,
        monotonic: Clock = time.monotonic,
    ):
        self._nodes = nodes
        self._chain_id, self._broker = chain_id, broker
        self._patience_s, self._monotonic = patience_s, monotonic
        self._vetted: set[Node] = set()
        self._tired: dict[Node, float] = {}

    async def in_turn(self, job: Job[T]) -> tuple[T, Node]:
        """The first answer that can be used, and whose it is. Raises the most telling ChainError, BadSettings.

        Where all say "not now", they are asked again until the patience is at its end.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(ChainUnavailable),
            wait=_pause_s,
            stop=stop_before_delay(self._patience_s),
            reraise=True,
        )
        return await retrying(self._once, job)

    async def _once(self, job: Job[T]) -> tuple[T, Node]:
        errors: list[ChainError] = []
        for node in self._rested_first():
            try:
                return await self._asked(node, job), node
            except ChainError as error:
                errors.append(error)
        raise min(errors, key=_weight)

    async def another(self, than: Node, job: Job[T]) -> tuple[T, Node] | None:
        """The same of another node, None where no other can tell."""
        for node in self._rested_first():
            if node is than or self._is_tired(node):
                continue
            try:
                return await self._asked(node, job), node
            except ChainTooMuch as error:
                if not error.slow:
                    raise
            except ChainError:
                continue
        return None

    async def close(self) -> None:
        """Close all connections."""
        for node in self._nodes:
            await node.close()

    async def _asked(self, node: Node, job: Job[T]) -> T:
        try:
            await self._vet(node)
            return await _true(node, job)
        except ChainWrong as error:
            # Another node may answer all the same: this one must be looked at by a person.
            log.error("a node of the chain can't be trusted: %s", error)  # noqa: TRY400 (the story says it all)
            raise
        except (ChainUnavailable, ChainTooMuch) as error:
            if isinstance(error, ChainUnavailable) or error.slow:
                self._tired[node] = self._monotonic() + REST_S
            raise

    async def _vet(self, node: Node) -> None:
        """Once for each node: it is on the right chain, and the contract is there."""
        if node in self._vetted:
            return
        chain_id = await _true(node, _chain_id)
        if chain_id != self._chain_id:
            raise BadSettings(f"SPILLWAY_CHAIN_ID: {node.name} is a node of chain {chain_id}, not of {self._chain_id}")
        if not read_data(await node.call("eth_getCode", self._broker, "latest")):
            raise BadSettings(f"SPILLWAY_TICKET_BROKER: there is no contract at {self._broker} on chain {chain_id}")
        self._vetted.add(node)

    def _is_tired(self, node: Node) -> bool:
        return self._monotonic() < self._tired.get(node, 0.0)

    def _rested_first(self) -> list[Node]:
        return sorted(self._nodes, key=self._is_tired)


async def _chain_id(node: Node) -> int:
    return read_quantity(await node.call("eth_chainId"))


async def _true(node: Node, job: Job[T]) -> T:
    """What can't be true is said of the node that says it."""
    try:
        return await job(node)
    except ValueError as error:
        raise ChainWrong(f"{node.name}: {error}") from error


def _pause_s(state: RetryCallState) -> float:
    """As long as a node asked for, else longer each time."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, ChainUnavailable) else None
    pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (state.attempt_number - 1))
    return max(asked_s or 0.0, pause_s) * random.uniform(1.0, 1.2)


def _weight(error: ChainError) -> int:
    """A smaller question may still be answered; else a lie is worse than silence."""
    kinds = (ChainTooMuch, ChainWrong, ChainUnavailable)
    return next(place for place, kind in enumerate(kinds) if isinstance(error, kind))
