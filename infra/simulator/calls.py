"""Reading a request as go-livepeer reads it: which fields, of which types, and what it says of a bad one.

From server/ai_mediaserver.go, server/ai_process.go and ai/worker/runner.gen.go of go-livepeer.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from simulator.record import NOT_MULTIPART, Part, Recorded

PIPELINES = (
    "text-to-image",
    "image-to-image",
    "image-to-video",
    "upscale",
    "audio-to-text",
    "llm",
    "segment-anything-2",
    "image-to-text",
    "text-to-speech",
)
Panic = Literal["never", "at once", "after the job"]
JSON_PIPELINES = frozenset({"text-to-image", "text-to-speech", "llm"})
CHAT_NEEDS = frozenset({"model", "messages", "stream", "max_tokens"})
PROMPTED = frozenset({"text-to-image", "image-to-image", "upscale"})

DIFFUSION: dict[str, type] = {
    "model_id": str, "loras": str, "prompt": str, "negative_prompt": str, "height": int, "width": int,
    "guidance_scale": float, "image_guidance_scale": float, "strength": float, "safety_check": bool, "seed": int,
    "num_inference_steps": int, "num_images_per_prompt": int,
}  # fmt: skip
FIELDS: dict[str, dict[str, type]] = {
    "text-to-image": DIFFUSION,
    "image-to-image": DIFFUSION,
    "upscale": DIFFUSION,
    "image-to-video": {**DIFFUSION, "fps": int, "motion_bucket_id": int, "noise_aug_strength": float},
    "audio-to-text": {"model_id": str, "return_timestamps": str, "metadata": str},
    "segment-anything-2": {"model_id": str, "point_coords": str, "point_labels": str, "box": str, "mask_input": str,
                           "multimask_output": bool, "return_logits": bool, "normalize_coords": bool},
    "image-to-text": {"model_id": str, "prompt": str},
    "text-to-speech": {"model_id": str, "text": str, "description": str},
    "llm": {"model": str, "messages": list, "stream": bool, "max_tokens": int, "temperature": float, "top_p": float,
            "top_k": int},
}  # fmt: skip
PICTURE_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")
SOUND_STARTS = (b"RIFF", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"OggS", b"fLaC", b"\x1aE\xdf\xa3")


class BadRequestError(ValueError):
    """The gateway's 400; its message reaches the caller."""


class Unserved(Exception):
    """No orchestrator could do anything with it: the gateway calls that missing capacity."""


@dataclass(frozen=True, slots=True)
class Call:
    """One job of a pipeline, as asked for."""

    pipeline: str
    values: dict[str, Any]
    upload: Part | None = None

    @property
    def model(self) -> str | None:
        """The model asked for; None where the field is missing."""
        named = self.values.get("model" if self.pipeline == "llm" else "model_id")
        return None if named is None else str(named)

    @property
    def count(self) -> int:
        """How many pictures; the gateway takes less than one for one."""
        asked = self.values.get("num_images_per_prompt") if self.pipeline in {"text-to-image", "image-to-image"} else 1
        return max(1, int(asked or 1))

    @property
    def panic(self) -> Panic:
        """When the gateway's nil pointer bites if there is no model_id (it logs or scores with `*req.ModelId`)."""
        if self.model is not None or self.pipeline == "llm":
            return "never"
        return "at once" if self.pipeline == "image-to-video" else "after the job"


def read_call(pipeline: str, entry: Recorded, body: bytes) -> Call:
    """The job in a request; BadRequestError with the gateway's words, Unserved where it looks like missing capacity."""
    values = _json_values(pipeline, body) if pipeline in JSON_PIPELINES else _form_values(pipeline, entry)
    upload = None if pipeline in JSON_PIPELINES else entry.file("audio" if pipeline == "audio-to-text" else "image")
    _check(pipeline, values)
    _check_upload(pipeline, upload)
    return Call(pipeline, values, upload)


def _json_values(pipeline: str, body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise BadRequestError("EOF")
    try:
        values = json.loads(body)
    except ValueError:
        start = body.lstrip()[:1].decode(errors="replace")
        raise BadRequestError(f"invalid character '{start}' looking for beginning of value") from None
    if not isinstance(values, dict):
        raise BadRequestError(f"json: cannot unmarshal {_go_kind(values)} into Go value of type worker.{pipeline}")
    return {name: _json_value(name, values[name], kind) for name, kind in FIELDS[pipeline].items()
            if values.get(name) is not None}  # fmt: skip


def _json_value(name: str, value: Any, kind: type) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadRequestError(
            f"json: cannot unmarshal {_go_kind(value)} into Go struct field {name} of type {kind.__name__}"
        )
    return value


def _form_values(pipeline: str, entry: Recorded) -> dict[str, Any]:
    content_type = entry.headers.get("content-type", "")
    if not content_type.startswith("multipart/form-data"):
        raise BadRequestError(NOT_MULTIPART)
    if entry.bad_form is not None:
        raise BadRequestError(entry.bad_form)
    kinds = FIELDS[pipeline]
    return {name: _form_value(name, text, kinds[name]) for name, text in entry.fields.items() if name in kinds}


def _form_value(name: str, text: str, kind: type) -> Any:
    readers: dict[type, Callable[[str], Any]] = {bool: _bool, int: int, float: float}
    try:
        return readers.get(kind, str)(text)
    except ValueError:
        raise BadRequestError(f"field {name}: error binding string parameter: {text!r}: invalid syntax") from None


def _bool(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0", "t", "f"}:
        raise ValueError(text)
    return text.lower() in {"true", "1", "t"}


def _check(pipeline: str, values: dict[str, Any]) -> None:
    if pipeline in PROMPTED and not values.get("prompt"):
        raise BadRequestError("prompt field is required")
    if pipeline == "text-to-speech" and "text" not in values:
        raise BadRequestError("text field is required")
    if pipeline == "llm" and not (values.keys() >= CHAT_NEEDS and values["messages"]):
        raise BadRequestError("missing required fields")


def _check_upload(pipeline: str, upload: Part | None) -> None:
    if pipeline in JSON_PIPELINES:
        return
    data = b"" if upload is None else upload.data
    if pipeline == "audio-to-text" and not (data.startswith(SOUND_STARTS) or data[4:8] == b"ftyp"):
        raise BadRequestError("audio duration calculation failed")
    if pipeline != "audio-to-text" and not data.startswith(PICTURE_STARTS):
        raise Unserved("image: unknown format")


def _go_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return {str: "string", int: "number", float: "number", list: "array", dict: "object"}.get(type(value), "null")
