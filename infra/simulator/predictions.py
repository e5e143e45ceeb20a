"""The life of a prediction: starting, processing, and one of four ends."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from simulator.clock import Clock
from simulator.faults import Fault
from simulator.fleet import Fleet
from simulator.outputs import KEPT_S, Outputs, spoken
from simulator.schemas import Model
from simulator.words import tokens

Status = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
Event = Literal["start", "output", "logs", "completed"]
OPEN = frozenset({"starting", "processing"})
FAILURES = {
    "failed": "CUDA out of memory. Tried to allocate 2.00 GiB.",
    "error": "Prediction interrupted; please retry (code: PA)",
    "nsfw": "NSFW content detected. Try running it again, or try a different prompt.",
    "content_filter": "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
    "context_length": "Prompt length exceeds maximum input length",
}


def _stamp() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Prediction:
    """One prediction; `place` is where the API listens, which is in all of its URLs."""

    id: str
    model: Model
    input: dict[str, Any]
    place: str
    deployment: str | None = None
    fault: Fault | None = None
    webhook: str | None = None
    webhook_events: frozenset[str] = frozenset({"start", "output", "logs", "completed"})
    cancel_after_s: float | None = None
    status: Status = "starting"
    output: Any = None
    error: str | None = None
    logs: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    created_at: str = field(default_factory=_stamp)
    started_at: str | None = None
    completed_at: str | None = None
    completed_s: float | None = None
    data_removed: bool = False
    task: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def done(self) -> bool:
        """Whether it has come to an end."""
        return self.status not in OPEN

    def touch(self) -> None:
        """Wake whoever waits for a change."""
        self.changed.set()
        self.changed = asyncio.Event()

    async def end(self) -> None:
        """Wait for its end."""
        while not self.done:
            await self.changed.wait()

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        here = f"{self.place}/v1/predictions/{self.id}"
        shown = {
            "id": self.id,
            "model": self.model.name,
            "version": "hidden" if self.model.official else self.model.version,
            "input": self.input,
            "logs": self.logs,
            "output": self.output,
            "data_removed": self.data_removed,
            "error": self.error,
            "status": self.status,
            "created_at": self.created_at,
            "started_at": self.started_at,
            "completed_at": self.completed_at,
            "metrics": self.metrics,
            "urls": {"cancel": f"{here}/cancel", "get": here, "stream": f"{self.place}/v1/streams/{self.id}",
                     "web": f"https://replicate.com/p/{self.id}"},
        }  # fmt: skip
        return shown if self.deployment is None else {**shown, "deployment": self.deployment}

    def forget(self, now_s: float) -> None:
        """An hour after its end, input and output are removed."""
        if self.completed_s is not None and now_s - self.completed_s > KEPT_S and not self.data_removed:
            self.data_removed, self.input, self.output, self.logs = True, {}, None, ""


@dataclass(slots=True)
class Life:
    """Lives predictions through; `tell` hears of each event, for webhooks and for the counters."""

    clock: Clock
    outputs: Outputs
    service_s: Callable[[Model], float]
    tell: Callable[[Prediction, Event], None]

    async def live(self, prediction: Prediction, fleet: Fleet | None) -> None:
        """From starting to the end; whoever ends it early calls `finish` and cancels the task."""
        limit_s = prediction.cancel_after_s
        try:
            # The caller's own deadline, so in the caller's own time.
            async with asyncio.timeout(limit_s):
                await self._on_instance(prediction, fleet)
        except TimeoutError:
            # What never started isn't billed, and is called aborted.
            self.finish(prediction, "aborted" if prediction.status == "starting" else "canceled")

    def finish(self, prediction: Prediction, status: Status, error: str | None = None) -> None:
        """Come to this end, once."""
        if prediction.done:
            return
        prediction.status, prediction.error = status, error
        prediction.completed_at, prediction.completed_s = _stamp(), self.clock.now()
        self._tell(prediction, "completed")

    async def _on_instance(self, prediction: Prediction, fleet: Fleet | None) -> None:
        fault = prediction.fault.kind if prediction.fault is not None else None
        if fault == "aborted":
            return self.finish(prediction, "aborted")
        if fleet is not None:
            await fleet.acquire()
        began_s = self.clock.now()
        try:
            prediction.status, prediction.started_at = "processing", _stamp()
            self._tell(prediction, "start")
            await self._work(prediction, fault)
        finally:
            prediction.metrics["predict_time"] = self.clock.now() - began_s
            if fleet is not None:
                fleet.release()
        if fault in FAILURES:
            said = prediction.fault.message if prediction.fault is not None else None
            return self.finish(prediction, "failed", said or FAILURES[fault])
        return self.finish(prediction, "canceled" if fault == "canceled" else "succeeded")

    async def _work(self, prediction: Prediction, fault: str | None) -> None:
        if fault == "stuck":
            await asyncio.get_running_loop().create_future()
        service_s = self.service_s(prediction.model) * (prediction.fault.stretch if prediction.fault else 1.0)
        if prediction.model.output in {"text", "text[]"}:
            return await self._speak(prediction, fault, service_s)
        await self.clock.sleep(service_s / 2)
        self._log(prediction, 50)
        await self.clock.sleep(service_s / 2)
        self._log(prediction, 100)
        if fault in FAILURES or fault == "canceled":
            return None
        place = f"{prediction.place}/files/{prediction.id}/"
        prediction.output = self.outputs.of(
            prediction.model, prediction.input, place, self.clock.now(), prediction.fault
        )
        return self._tell(prediction, "output")

    async def _speak(self, prediction: Prediction, fault: str | None, service_s: float) -> None:
        """Words come one by one; a model with one string for output shows it at the end."""
        said = spoken(prediction.model.completed(prediction.input))
        if fault in FAILURES or fault == "canceled":
            said = said[: len(said) // 2]
        heard: list[str] = []
        if prediction.model.output == "text[]":
            prediction.output = heard
        for word in said:
            await self.clock.sleep(service_s / len(said))
            heard.append(word)
            prediction.metrics["output_token_count"] = len(heard)
            prediction.touch()
        prediction.metrics["input_token_count"] = tokens(str(prediction.input))
        if prediction.model.output == "text" and fault not in FAILURES:
            prediction.output = "".join(heard)
        self._tell(prediction, "output")

    def _log(self, prediction: Prediction, percent: int) -> None:
        bar = "█" * (percent // 10) + " " * (10 - percent // 10)
        prediction.logs += f"{percent:3d}%|{bar}| {percent // 25}/4 [00:00<00:00, 4.00it/s]\n"
        self._tell(prediction, "logs")

    def _tell(self, prediction: Prediction, event: Event) -> None:
        self.tell(prediction, event)
        prediction.touch()
