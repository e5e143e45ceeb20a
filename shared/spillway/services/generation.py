"""A whole answer: the request goes through its backends until one has given a result that is whole."""

import asyncio
from collections.abc import Awaitable, Callable

from spillway.domain.requests import InferenceRequest, Terms
from spillway.errors import TooSlow
from spillway.ports import Result, Served
from spillway.services.backends import Backends
from spillway.services.ending import dropped
from spillway.services.keeping import Keeper
from spillway.services.round import Round
from spillway.services.tries import Try

LONGEST_S = 86400.0


class Generation:
    """One request that wants a whole answer. `served` is its record, filled as it goes."""

    def __init__(self, backends: Backends, keeper: Keeper, request: InferenceRequest, terms: Terms):
        self._backends = backends
        self._keeper = keeper
        self._way = Round(backends, request, terms)

    @property
    def served(self) -> Served:
        """The record of the request so far."""
        return self._way.record

    async def answer(self) -> Result:
        """Raises CallerError, and NobodyAnswered when every backend overflowed or the deadline passed."""
        try:
            result = await self._through()
        except BaseException as error:
            self._way.close(error)
            raise
        self._way.close(None)
        return result

    async def patiently(self, patience_s: float, started: Callable[[], Awaitable[None]]) -> Result:
        """The subnet's answer alone, tried when it has a slot that no live request wants (ports.running.SubnetDoor).

        Nothing is written into the ledger: a job's run has a record of its own.
        """
        try:
            await self._way.enter_patiently(patience_s)
            await started()
            result = await self._alone(Try(None, more=0))
        finally:
            self._way.let_go()
        if result is None:
            raise self._way.last_failure
        return result

    async def _through(self) -> Result:
        await self._way.plan()
        for tried in self._way.tries():
            result = await (self._hedged(tried) if tried.fallback is None else self._alone(tried))
            if result is not None:
                self.served.model = result.model
                return result
        raise self._way.nobody()

    async def _alone(self, tried: Try) -> Result | None:
        """One try to its end; None where the next backend may answer."""
        await self._way.prepare(tried)
        try:
            result = await self._try(tried)
        except BaseException as error:  # noqa: BLE001 (`end` raises it again unless another backend may answer)
            self._way.end(tried, error)
            return None
        self._way.end(tried, None)
        return result

    async def _hedged(self, tried: Try) -> Result | None:
        """A try on the subnet; when it is slow, hosted inference starts beside it, and whoever is first answers."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        subnet = asyncio.create_task(_telling(self._alone(tried), over))
        try:
            await _within(over, self._way.gate.policy.hedge_s())
            if subnet.done() or not self._way.may_hedge(tried):
                return await subnet
            return await self._race(tried, subnet)
        except BaseException:
            await dropped(subnet)
            raise

    async def _race(self, tried: Try, subnet: "asyncio.Task[Result | None]") -> Result | None:
        second = self._way.hedge()
        if second is None:
            return await subnet
        hosted = asyncio.create_task(self._alone(second))
        try:
            await asyncio.wait([subnet, hosted], return_when=asyncio.FIRST_COMPLETED)
            hosted_first = hosted.done() and (not subnet.done() or self.served.served_by == second.backend)
            first, other = (hosted, subnet) if hosted_first else (subnet, hosted)
            result = await first or await other
        except BaseException:
            await dropped(hosted)
            raise
        if not subnet.done():
            self._way.leave_behind(tried, subnet)
        await dropped(hosted)
        return result

    async def _try(self, tried: Try) -> Result:
        allowed_s = self._way.begin(tried)
        try:
            async with asyncio.timeout(allowed_s):
                result = await self._infer(tried, allowed_s)
        except TimeoutError as error:
            raise TooSlow(f"no answer in {allowed_s:.1f} s") from error
        if not tried.beaten:
            await self._keep(tried, result)
        return result

    async def _keep(self, tried: Try, result: Result) -> None:
        way = self._way
        await self._keeper.keep(
            result,
            way.request.pipeline,
            public_url=way.terms.public_url,
            hosted=tried.fallback is not None,
            left_s=way.left_s(),
        )

    async def _infer(self, tried: Try, allowed_s: float) -> Result:
        way = self._way
        if tried.fallback is None:
            return await self._backends.the_subnet.infer(way.request, way.route, allowed_s)
        return await self._backends.hosted[tried.fallback.provider].infer(way.request, tried.fallback, allowed_s)


async def _telling(work: Awaitable[Result | None], over: "asyncio.Future[None]") -> Result | None:
    """Say when it is over, in its last step: a task's own callbacks come a turn of the loop later."""
    try:
        return await work
    finally:
        _end(over)


async def _within(over: "asyncio.Future[None]", seconds: float) -> None:
    """Wait, but not for longer; asyncio.wait costs a tenth of a request."""
    alarm = asyncio.get_running_loop().call_later(min(seconds, LONGEST_S), _end, over)
    try:
        await over
    finally:
        alarm.cancel()


def _end(over: "asyncio.Future[None]") -> None:
    if not over.done():
        over.set_result(None)
