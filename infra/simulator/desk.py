"""Replicate's desk: predictions are taken in, lived through, remembered, billed and announced by webhook."""

import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from string import ascii_lowercase, digits
from typing import Any

from simulator.clock import Clock
from simulator.fleet import Fleet
from simulator.outputs import Outputs
from simulator.predictions import Event, Life, Prediction
from simulator.schemas import Model
from simulator.webhooks import Webhooks

REMEMBERED = 20_000
SERVICE_S = 4.0
INTERRUPTED = "Prediction interrupted; please retry (code: PA)"
Spawn = Callable[[Coroutine[Any, Any, None]], Any]


class Desk:
    """`service_s` and `prices` (USD a job) are one number or one a model; `spawn` runs something on the side."""

    def __init__(
        self,
        clock: Clock,
        outputs: Outputs,
        random: Random,
        webhooks: Webhooks,
        spawn: Spawn,
        *,
        service_s: Mapping[str, float] | float,
        prices: Mapping[str, float] | float,
    ) -> None:
        """Nothing has come in yet."""
        self.predictions: OrderedDict[str, Prediction] = OrderedDict()
        self.created: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.jobs_usd = 0.0
        self.service_s, self.prices = service_s, prices
        self._random, self._webhooks, self._spawn = random, webhooks, spawn
        self._life = Life(clock, outputs, self._service_of, self._told)

    def new_id(self) -> str:
        """An id as Replicate gives them."""
        return "".join(self._random.choices(ascii_lowercase + digits, k=26))

    def take(self, prediction: Prediction) -> None:
        """Remember it; the oldest are forgotten."""
        self.predictions[prediction.id] = prediction
        self.created[prediction.model.name] += 1
        while len(self.predictions) > REMEMBERED:
            self.predictions.popitem(last=False)

    async def live(self, prediction: Prediction, fleet: Fleet | None) -> None:
        """Live it to its end."""
        await self._life.live(prediction, fleet)

    def cancel(self, prediction: Prediction) -> None:
        """End it now: aborted if it never started, else canceled, which is billed."""
        self._life.finish(prediction, "aborted" if prediction.status == "starting" else "canceled")
        if prediction.task is not None:
            prediction.task.cancel()

    def interrupt_all(self) -> None:
        """What runs fails at once."""
        for prediction in list(self.predictions.values()):
            if not prediction.done:
                self._life.finish(prediction, "failed", INTERRUPTED)
                if prediction.task is not None:
                    prediction.task.cancel()

    def _service_of(self, model: Model) -> float:
        times = self.service_s
        return times if isinstance(times, int | float) else times.get(model.name, SERVICE_S)

    def _told(self, prediction: Prediction, event: Event) -> None:
        if event == "completed":
            self.ended[prediction.status] += 1
        if event == "completed" and prediction.status in {"succeeded", "canceled"}:
            prices = self.prices
            self.jobs_usd += prices if isinstance(prices, int | float) else prices.get(prediction.model.name, 0.0)
        if prediction.webhook is not None and event in prediction.webhook_events:
            self._announce(prediction, prediction.webhook, event)

    def _announce(self, prediction: Prediction, url: str, event: Event) -> None:
        body = json.dumps(prediction.json()).encode()
        kind = prediction.fault.kind if prediction.fault is not None else None
        for _ in range({"webhook_lost": 0, "webhook_twice": 2}.get(str(kind), 1)):
            self._spawn(self._webhooks.send(url, f"msg_{self.new_id()}", event, body))
