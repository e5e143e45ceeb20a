"""A whole answer: the request goes through its backends until one has given a result that is whole."""

import asyncio

from spillway.domain.requests import InferenceRequest, Terms
from spillway.errors import TooSlow
from spillway.ports import Result, Served
from spillway.services.keeping import Keeper
from spillway.services.round import Backends, Round, Try


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

    async def _through(self) -> Result:
        for tried in self._way.tries():
            try:
                result = await self._try(tried)
            except BaseException as error:  # noqa: BLE001 (`end` raises it again unless another backend may answer)
                self._way.end(tried, error)
            else:
                self._way.end(tried, None)
                self.served.model = result.model
                return result
        raise self._way.nobody()

    async def _try(self, tried: Try) -> Result:
        allowed_s = self._way.begin(tried)
        try:
            async with asyncio.timeout(allowed_s):
                result = await self._infer(tried, allowed_s)
        except TimeoutError as error:
            raise TooSlow(f"no answer in {allowed_s:.1f} s") from error
        hosted = tried.fallback is not None
        await self._keeper.keep(
            result,
            self._way.request.pipeline,
            public_url=self._way.terms.public_url,
            hosted=hosted,
            left_s=self._way.left_s(),
        )
        return result

    async def _infer(self, tried: Try, allowed_s: float) -> Result:
        way = self._way
        if tried.fallback is None:
            return await self._backends.the_subnet.infer(way.request, way.route, allowed_s)
        return await self._backends.hosted[tried.fallback.provider].infer(way.request, tried.fallback, allowed_s)
