"""Whether a backend's 200 holds what the pipeline must give, and where its media are."""

from collections.abc import Iterator
from typing import Any

from spillway.domain.chat import check_whole
from spillway.domain.pipelines import Pipeline
from spillway.domain.requests import InferenceRequest
from spillway.errors import BrokenAnswer

# What text pipelines must hold: field and type.
_FIELDS: dict[str, tuple[tuple[str, type], ...]] = {
    "transcript": (("text", str), ("chunks", list)),
    "text": (("text", str),),
    "masks": (("masks", str), ("scores", str), ("logits", str)),
}


def check(body: Any, request: InferenceRequest, backend: str) -> dict[str, Any]:
    """The body of a 200, checked and completed: pictures have `url`, `seed` and `nsfw`. Raises BrokenAnswer."""
    if not isinstance(body, dict):
        raise BrokenAnswer(f"{backend}'s answer is not a JSON object")
    gives = request.pipeline.gives
    if gives == "chat":
        return check_whole(body, backend)
    if gives in ("pictures", "video"):
        _check_images(body, request, backend)
    elif gives == "audio":
        _check_audio(body, backend)
    else:
        for name, kind in _FIELDS[gives]:
            if not isinstance(body.get(name), kind):
                raise BrokenAnswer(f"{backend}'s answer has no {name}")
    return body


def _check_images(body: dict[str, Any], request: InferenceRequest, backend: str) -> None:
    images = body.get("images")
    if not isinstance(images, list) or not images:
        raise BrokenAnswer(f"{backend}'s answer has no images")
    if request.pipeline.gives == "pictures" and len(images) < request.pictures:
        raise BrokenAnswer(f"{backend} gave {len(images)} of {request.pictures} images")
    for image in images:
        if not isinstance(image, dict) or not isinstance(image.get("url"), str) or not image["url"]:
            raise BrokenAnswer(f"{backend}'s answer has an image without url")
        image["seed"] = image["seed"] if type(image.get("seed")) is int else 0
        image["nsfw"] = image.get("nsfw") is True


def _check_audio(body: dict[str, Any], backend: str) -> None:
    audio = body.get("audio")
    if not isinstance(audio, dict) or not isinstance(audio.get("url"), str) or not audio["url"]:
        raise BrokenAnswer(f"{backend}'s answer has no audio")


def media(body: dict[str, Any], pipeline: Pipeline) -> Iterator[dict[str, Any]]:
    """The objects of an answer whose `url` points at a picture, video or sound."""
    if pipeline.gives in ("pictures", "video"):
        yield from body["images"]
    elif pipeline.gives == "audio":
        yield body["audio"]
