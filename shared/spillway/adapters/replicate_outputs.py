"""From what Replicate's models give back to the answers of a Livepeer gateway."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from typing import Any

from replicate.prediction import Prediction

from spillway.domain.masks import rank
from spillway.domain.requests import InferenceRequest
from spillway.errors import BrokenAnswer, MediaBroken
from spillway.ports import Media

MASK_TIMEOUT_S = 20.0
LOGIT = 10.0
LOGIT_SIDE = 256
# SAM 2 on Replicate gives masks whose predicted quality passed this threshold (the route asks for it), not the figure.
LEAST_SCORE = 0.88
_CAPTION = re.compile(r"^(?:Caption|Answer):\s*", re.IGNORECASE)


class ReplicateOutputs:
    """Builds answers; `media` fetches the masks that have to be read to be passed on."""

    def __init__(self, media: Media):
        self._media = media

    async def answer(
        self, request: InferenceRequest, predictions: Sequence[Prediction], *, seed: int
    ) -> dict[str, Any]:
        """The Livepeer answer of one request's predictions. Raises BrokenAnswer."""
        gives = request.pipeline.gives
        output = predictions[0].output
        if gives in ("pictures", "video"):
            urls = [url for prediction in predictions for url in _urls(prediction.output)]
            return {"images": [{"url": url, "seed": seed + i, "nsfw": False} for i, url in enumerate(urls)]}
        if gives == "audio":
            return {"audio": {"url": next(iter(_urls(output)), "")}}
        if gives == "transcript":
            return _transcript(output, request)
        if gives == "masks":
            return await self._masks(output, request)
        if gives == "text":
            return {"text": _CAPTION.sub("", self.text(predictions[0]).strip())}
        return self._completion(predictions[0], request)

    def text(self, prediction: Prediction) -> str:
        """The words of a model that speaks: one string, or its pieces."""
        output = prediction.output
        if isinstance(output, list) and all(isinstance(piece, str) for piece in output):
            output = "".join(output)
        if not isinstance(output, str):
            raise BrokenAnswer("the model gave no text")
        return output.removesuffix("<|eot_id|>")

    def usage(self, prediction: Prediction) -> dict[str, int]:
        """Tokens as Replicate counted them."""
        metrics = prediction.metrics or {}
        asked, said = (int(metrics.get(f"{kind}_token_count") or 0) for kind in ("input", "output"))
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}

    def finish(self, prediction: Prediction, request: InferenceRequest) -> str:
        """Replicate does not say why a model stopped; at the limit it was the limit."""
        most = request.params.get("max_tokens")
        return "length" if most and self.usage(prediction)["completion_tokens"] >= most else "stop"

    def _completion(self, prediction: Prediction, request: InferenceRequest) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.text(prediction)}
        return {
            "id": f"chatcmpl-{prediction.id}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": prediction.model,
            "usage": self.usage(prediction),
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish(prediction, request)}],
        }

    async def _masks(self, output: Any, request: InferenceRequest) -> dict[str, Any]:
        urls = _urls(output.get("individual_masks") if isinstance(output, dict) else None)
        if not urls:
            raise BrokenAnswer("the model gave no masks")
        masks = [await self._mask(url) for url in urls]
        best = await asyncio.to_thread(rank, masks, request.params)
        return await asyncio.to_thread(_as_text, best)

    async def _mask(self, url: str) -> Any:
        try:
            with await self._media.fetch(url, timeout_s=MASK_TIMEOUT_S) as content:
                return await asyncio.to_thread(_pixels, content)
        except (MediaBroken, OSError) as error:
            raise BrokenAnswer(f"a mask can't be read: {error}") from error


def _urls(output: Any) -> list[str]:
    """A model gives one address, a list of them, or pieces that may hold None."""
    found = output if isinstance(output, list) else [output]
    return [url for url in found if isinstance(url, str) and url]


def _transcript(output: Any, request: InferenceRequest) -> dict[str, Any]:
    if not isinstance(output, dict):
        raise BrokenAnswer("the model gave no transcript")
    text = output.get("text", output.get("transcription"))
    if not isinstance(text, str):
        raise BrokenAnswer("the model gave no transcript")
    if str(request.params.get("return_timestamps", "true")).lower() == "false":
        return {"text": text, "chunks": []}
    chunks = output.get("chunks") or output.get("segments") or []
    try:
        return {"text": text, "chunks": [_timed(chunk) for chunk in chunks]}
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenAnswer("the model's transcript has chunks without times") from error


def _timed(chunk: dict[str, Any]) -> dict[str, Any]:
    """The last end may be missing: it is then no earlier than the start."""
    start, end = chunk["timestamp"] if "timestamp" in chunk else (chunk["start"], chunk["end"])
    return {"text": chunk["text"], "timestamp": [start, start if end is None else end]}


def _pixels(content: Any) -> Any:
    from PIL import Image  # noqa: PLC0415 (masks are rare)

    from spillway.domain.masks import Mask  # noqa: PLC0415

    with Image.open(content) as picture:
        grey = picture.convert("L")
        small = grey.resize((LOGIT_SIDE, LOGIT_SIDE))
        return Mask(grey.width, grey.height, grey.tobytes(), small.tobytes())


def _as_text(masks: Sequence[Any]) -> dict[str, Any]:
    """The three lists as the gateway gives them: JSON in strings."""
    logits = [
        [[LOGIT if value >= 128 else -LOGIT for value in row] for row in mask.small_rows(LOGIT_SIDE)] for mask in masks
    ]
    return {
        "masks": json.dumps([[[int(value >= 128) for value in row] for row in mask.rows()] for mask in masks]),
        "scores": json.dumps([LEAST_SCORE for _ in masks]),
        "logits": json.dumps(logits),
    }
