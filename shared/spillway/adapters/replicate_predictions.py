"""Predictions at Replicate that outlive whoever started them: created without waiting, found again by their ids."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from replicate.prediction import Prediction

from spillway.adapters.replicate_client import (
    BACKEND,
    UNFINISHED,
    ReplicateClient,
    cancel_after,
    model_name,
    outcome_of,
    seed_of,
)
from spillway.adapters.replicate_outputs import ReplicateOutputs
from spillway.domain.answers import check
from spillway.domain.inputs import split
from spillway.domain.requests import InferenceRequest
from spillway.domain.routes import Fallback
from spillway.errors import CallerError, Overflow, TooSlow
from spillway.ports import Result
from spillway.ports.running import Look

EVENTS = ["start", "completed"]
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s?%")


class ReplicatePredictions:
    """Adapter of ports.running.Predictions."""

    def __init__(self, client: ReplicateClient, outputs: ReplicateOutputs):
        self._client, self._outputs = client, outputs

    def parts(self, request: InferenceRequest, target: Fallback) -> int:
        """As many as its pictures are split into."""
        return len(list(split(request.pictures, target.outputs_per_job)))

    async def start(
        self, request: InferenceRequest, target: Fallback, *, limit_s: float, hook: str | None
    ) -> tuple[str, ...]:
        """Several at once; where one can't be created, the others are canceled."""
        how: dict[str, Any] = {"cancel_after_s": cancel_after(limit_s)}
        inputs = await self._client.inputs(request, target, seed_of(request))
        created = await asyncio.gather(
            *(self._client.start(target, one, **how, **_told(hook, part)) for part, one in enumerate(inputs)),
            return_exceptions=True,
        )
        ids = tuple(one.id for one in created if isinstance(one, Prediction))
        if failure := next((one for one in created if isinstance(one, BaseException)), None):
            await self.cancel(ids)
            raise failure
        return ids

    async def look(self, ids: Sequence[str], request: InferenceRequest, target: Fallback) -> Look:
        """All of them: the first that failed is the failure of all."""
        found = await asyncio.gather(*(self._client.look(one) for one in ids))
        predictions = [one for one in found if one is not None]
        if len(predictions) < len(found):
            return Look(error=TooSlow("the prediction was aborted"))
        ended = [one for one in predictions if one.status not in UNFINISHED]
        if error := next(filter(None, map(outcome_of, ended)), None):
            return Look(error=error)
        if len(ended) < len(predictions):
            return Look(_progress(predictions), begun=any(one.status != "starting" for one in predictions))
        try:
            return Look(1.0, begun=True, result=await self._result(predictions, request, target))
        except (Overflow, CallerError) as error:
            return Look(error=error)

    async def _result(self, predictions: Sequence[Prediction], request: InferenceRequest, target: Fallback) -> Result:
        body = await self._outputs.answer(request, predictions, seed=seed_of(request))
        return Result(check(body, request, BACKEND), model_name(target))

    async def cancel(self, ids: Sequence[str]) -> None:
        """All of them, within some seconds."""
        await asyncio.gather(*map(self._client.end, ids))


def _told(hook: str | None, part: int) -> dict[str, Any]:
    """Where Replicate reports, of which part."""
    return {"webhook": f"{hook}&part={part}" if part else hook, "webhook_events_filter": EVENTS} if hook else {}


def progress_in(logs: str) -> float | None:
    """How far a model's log says it is: the last percentage in it; None where there is none."""
    found = _PERCENT.findall(logs)
    return min(1.0, float(found[-1]) / 100) if found else None


def _progress(predictions: Sequence[Prediction]) -> float | None:
    """The mean of those that tell, and of those that have ended."""
    told = [1.0 if one.status not in UNFINISHED else progress_in(one.logs or "") for one in predictions]
    if all(part is None for part in told):
        return None
    return sum(part or 0.0 for part in told) / len(told)
