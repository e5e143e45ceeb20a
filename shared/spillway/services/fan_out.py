"""Several pictures at once: a request for n of them as jobs for different orchestrators, which make theirs one by one.

It is split as far as the policy sees room when it comes, and stays one job otherwise. Picture i has the seed `seed + i`
however it was split, as go-livepeer's runner would count. A part that the subnet fails goes on to hosted inference
alone; the caller's own error in one part is the whole request's, and so is a part that nobody answers.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from spillway.domain.outcomes import kind_of
from spillway.domain.requests import InferenceRequest, JsonPayload, Terms
from spillway.ports import Result, Served
from spillway.services.backends import Backends
from spillway.services.budgets import could_hold
from spillway.services.generation import Generation
from spillway.services.keeping import Keeper

SEED_BITS = 32
"""Of a seed that nobody gave, as the runner draws it."""
LARGEST_SEED = 2**63 - 1
SHORTEST_S = 0.001


class FanOut:
    """One request for several pictures. `served` is its record, complete when it has been answered."""

    def __init__(self, backends: Backends, keeper: Keeper, request: InferenceRequest, terms: Terms, chance: Random):
        self.served = Served(request.pipeline.name, request.model, pictures=request.pictures)
        self._backends, self._keeper, self._request, self._terms = backends, keeper, request, terms
        self._chance = chance
        self._route = backends.routes.find(request.pipeline.name, request.model)
        self._started = backends.monotonic()

    async def answer(self) -> Result:
        """See Generation: all parts in their order, or the first error, with which the other parts stop."""
        parts: list[Generation] = []
        try:
            requests = await self._split()
            parts = [self._part(request) for request in requests]
            results = await _together(parts)
        except BaseException as error:
            self._close(parts, error)
            raise
        result = self._joined(requests, results, parts)
        self._close(parts, None)
        return result

    async def _split(self) -> list[InferenceRequest]:
        gate = self._backends.gates.of(self._route, self._request.model)
        await self._backends.exchange.fresh(gate)
        jobs = min(gate.room(), self._request.pictures)
        return split(self._request, jobs, self._chance.getrandbits(SEED_BITS)) if jobs > 1 else [self._request]

    def _part(self, request: InferenceRequest) -> Generation:
        now = self._backends.monotonic()
        left_s = (self._terms.deadline_s or self._route.deadline) - (now - self._started)
        terms = replace(self._terms, deadline_s=max(SHORTEST_S, left_s))
        return Generation(replace(self._backends, ledger=_Deaf()), self._keeper, request, terms)

    def _joined(
        self, requests: Sequence[InferenceRequest], results: Sequence[Result], parts: Sequence[Generation]
    ) -> Result:
        """One answer. It is said to come from whoever made the most of it."""
        made: Counter[tuple[str, str]] = Counter()
        images = []
        for request, result, part in zip(requests, results, parts, strict=True):
            made[part.served.served_by, result.model] += request.pictures
            images += result.body["images"][: request.pictures] if len(parts) > 1 else result.body["images"]
        [((self.served.served_by, self.served.model), _)] = made.most_common(1)
        return Result({**results[0].body, "images": images}, self.served.model)

    def _close(self, parts: Sequence[Generation], error: BaseException | None) -> None:
        """Write one record: a request is counted once, its tries and its money part by part."""
        record, records = self.served, [part.served for part in parts]
        record.attempts = [attempt for part in records for attempt in part.attempts]
        record.usd = sum(part.usd for part in records)
        record.reason = next((part.reason for part in records), "")
        record.queue_s = max((part.queue_s for part in records), default=0.0)
        record.outcome = kind_of(error)
        record.seconds = self._backends.monotonic() - self._started
        self._backends.ledger.record(record)


class _Deaf:
    """The ledger of parts: their whole is recorded."""

    def record(self, served: Served) -> None:
        """Leave it."""


def may_split(request: InferenceRequest, terms: Terms, backends: Backends) -> bool:
    """Whether a request is for several pictures on the subnet, with hosted inference behind a part that is refused."""
    return (
        request.pictures > 1
        and request.pipeline.gives == "pictures"
        and request.pipeline.encoding == "json"
        and request.params.get("seed", 0) + request.pictures <= LARGEST_SEED
        and terms.prefer in ("auto", "subnet")
        and backends.subnet is not None
        and _hosted_could(request, terms, backends)
    )


def _hosted_could(request: InferenceRequest, terms: Terms, backends: Backends) -> bool:
    """Whether there is hosted inference that the day's money holds all parts of: some would be paid for in vain."""
    route = backends.routes.find(request.pipeline.name, request.model)
    money, now = backends.budget.of(terms.caller), backends.epoch()
    return any(
        fallback.provider in backends.hosted
        and could_hold(money, fallback.price_usd(request.pictures), now, terms.priority)
        for fallback in route.fallbacks
    )


def split(request: InferenceRequest, jobs: int, drawn_seed: int) -> list[InferenceRequest]:
    """So many requests for as many pictures each as possible; seeds go on where the part before ends."""
    content = request.payload.content()
    assert isinstance(content, bytes)  # noqa: S101 (JSON is never sent in pieces)
    body = json.loads(content)
    seed = int(request.params.get("seed", drawn_seed))
    parts = []
    for pictures in even(request.pictures, jobs):
        own = {"num_images_per_prompt": pictures, "seed": seed}
        payload = JsonPayload(json.dumps({**body, **own}).encode())
        parts.append(replace(request, params={**request.params, **own}, payload=payload))
        seed += pictures
    return parts


def even(pictures: int, jobs: int) -> list[int]:
    """So many jobs that differ by one picture at most, the larger ones first."""
    each, more = divmod(pictures, jobs)
    return [each + 1] * more + [each] * (jobs - more)


async def _together(parts: Sequence[Generation]) -> list[Result]:
    """All answers; none of them goes on when one has failed or the caller has left."""
    tasks = [asyncio.create_task(part.answer()) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
