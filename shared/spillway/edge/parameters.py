"""The fields of each pipeline's request, checked before a try is paid for. Fields not named here pass through."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from spillway.domain.pipelines import Pipeline
from spillway.errors import BadRequest

Text = Annotated[str, Field(min_length=1)]
Side = Annotated[int, Field(ge=1, le=8192)]
Steps = Annotated[int, Field(ge=1, le=1000)]
Seed = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
ModelName = Annotated[str, Field(max_length=256)]
"""Names of models stand in lanes, policies and documents, which have to stay small."""
Number = Annotated[float, Field(allow_inf_nan=False)]


def _arrays(kind: Any, shape: str) -> Callable[[str], str]:
    """Checks that a text, where it is not empty, is JSON of a kind; it goes on as it came."""
    reader = TypeAdapter(kind)

    def check(text: str) -> str:
        try:
            if text.strip():
                reader.validate_json(text)
        except ValidationError:
            raise ValueError(f"must be JSON of the form {shape}") from None
        return text

    return check


class _Fields(BaseModel):
    # Built when the first request comes: a cold start need not wait for what it may not need.
    model_config = ConfigDict(extra="allow", defer_build=True)

    model_id: ModelName | None = None


class _Picture(_Fields):
    negative_prompt: str | None = None
    guidance_scale: Number | None = None
    num_inference_steps: Steps | None = None
    num_images_per_prompt: Annotated[int, Field(ge=1, le=32)] | None = None
    safety_check: bool | None = None
    seed: Seed | None = None
    loras: str | None = None


class TextToImage(_Picture):
    """POST /text-to-image."""

    prompt: Text
    width: Side | None = None
    height: Side | None = None


class ImageToImage(_Picture):
    """POST /image-to-image."""

    prompt: Text
    strength: Number | None = None
    image_guidance_scale: Number | None = None


class ImageToVideo(_Fields):
    """POST /image-to-video."""

    width: Side | None = None
    height: Side | None = None
    fps: Annotated[int, Field(ge=1, le=240)] | None = None
    motion_bucket_id: Annotated[int, Field(ge=0, le=1024)] | None = None
    noise_aug_strength: Number | None = None
    num_inference_steps: Steps | None = None
    safety_check: bool | None = None
    seed: Seed | None = None


class Upscale(_Fields):
    """POST /upscale."""

    prompt: Text
    num_inference_steps: Steps | None = None
    safety_check: bool | None = None
    seed: Seed | None = None


class AudioToText(_Fields):
    """POST /audio-to-text."""

    return_timestamps: str | None = None
    metadata: str | None = None


class SegmentAnything2(_Fields):
    """POST /segment-anything-2; the arrays are JSON in text."""

    point_coords: Annotated[str, AfterValidator(_arrays(list[tuple[float, float]], "[[x, y], ...]"))] | None = None
    point_labels: Annotated[str, AfterValidator(_arrays(list[int], "[1, 0, ...]"))] | None = None
    box: Annotated[str, AfterValidator(_arrays(tuple[float, float, float, float], "[x0, y0, x1, y1]"))] | None = None
    mask_input: str | None = None
    multimask_output: bool | None = None
    return_logits: bool | None = None
    normalize_coords: bool | None = None


class ImageToText(_Fields):
    """POST /image-to-text."""

    prompt: str | None = None


class TextToSpeech(_Fields):
    """POST /text-to-speech."""

    text: Text
    description: str | None = None


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    role: Literal["system", "user", "assistant"]
    content: str


class Llm(BaseModel):
    """POST /llm."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    messages: Annotated[list[Message], Field(min_length=1)]
    model: ModelName | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    stream: bool | None = None


FIELDS: dict[str, type[BaseModel]] = {
    "text-to-image": TextToImage,
    "image-to-image": ImageToImage,
    "image-to-video": ImageToVideo,
    "upscale": Upscale,
    "audio-to-text": AudioToText,
    "llm": Llm,
    "segment-anything-2": SegmentAnything2,
    "image-to-text": ImageToText,
    "text-to-speech": TextToSpeech,
}
FILES = {name: "audio" if name == "audio-to-text" else "image" for name in FIELDS}


def check_fields(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """The typed fields of a request, without those that were not given. Raises BadRequest for the first wrong one.

    JSON has types of its own and is held to them; the fields of a form are text and are read as what they must be.
    """
    strict = pipeline.encoding == "json"
    return validated(FIELDS[pipeline.name], given, strict=strict)


def validated(fields: type[BaseModel], given: Any, *, strict: bool) -> dict[str, Any]:
    """The fields as typed values. Raises BadRequest that names the field and says what is wrong with it."""
    try:
        return fields.model_validate(given, strict=strict).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] in ("missing", "string_too_short"):
            raise BadRequest(f"{where} is required and must not be empty", code="missing_field", param=where) from error
        raise BadRequest(
            f"{where}: {_lower(first['msg'].removeprefix('Value error, '))}", code="invalid_field", param=where
        ) from error


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
