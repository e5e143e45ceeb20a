"""From a Livepeer request to a hosted model's input: placeholders, limits and the splitting of pictures."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_BRACES = re.compile(r"\{\{|\}\}|\{([a-z_0-9]+)\}")
_ALONE = re.compile(r"\{([a-z_0-9]+)\}")
_LLAMA_TOKEN = re.compile(r"<\|[a-z0-9_]+\|>")

# What FLUX models take instead of a width and a height.
_ASPECTS = ("1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21")
# Below this many pixels a quarter of a megapixel is nearer than a whole one (geometric middle).
_QUARTER_MEGAPIXEL_BELOW = 524_288
_DEFAULT_SIZE = (1024, 576)

# Placeholder -> the field of the Livepeer request that it stands for.
_FIELDS: dict[str, str] = {
    "prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "image": "image",
    "audio": "audio",
    "text": "text",
    "description": "description",
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
    "image_guidance": "image_guidance_scale",
    "strength": "strength",
    "seed": "seed",
    "num_images": "num_images_per_prompt",
    "fps": "fps",
    "motion_bucket_id": "motion_bucket_id",
    "noise_aug_strength": "noise_aug_strength",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
}


def _size(params: Mapping[str, Any]) -> tuple[int, int]:
    return int(params.get("width") or _DEFAULT_SIZE[0]), int(params.get("height") or _DEFAULT_SIZE[1])


def _aspect_ratio(params: Mapping[str, Any]) -> str:
    width, height = _size(params)

    def distance(aspect: str) -> float:
        across, down = aspect.split(":")
        return abs(math.log(width / height) - math.log(int(across) / int(down)))

    return min(_ASPECTS, key=distance)


def _megapixels(params: Mapping[str, Any]) -> str:
    width, height = _size(params)
    return "0.25" if width * height <= _QUARTER_MEGAPIXEL_BELOW else "1"


def _timestamps(params: Mapping[str, Any]) -> str:
    return "word" if params.get("return_timestamps") == "word" else "chunk"


def _llama3_chat(params: Mapping[str, Any]) -> str | None:
    """The conversation in Llama 3's own format; its tokens are taken out of what people wrote, so no role is forged."""
    messages = params.get("messages")
    if not messages:
        return None
    turns = (
        f"<|start_header_id|>{message['role']}<|end_header_id|>\n\n{_LLAMA_TOKEN.sub('', message['content'])}<|eot_id|>"
        for message in messages
    )
    return "<|begin_of_text|>" + "".join(turns) + "<|start_header_id|>assistant<|end_header_id|>\n\n"


_COMPUTED: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "width": lambda params: _size(params)[0],
    "height": lambda params: _size(params)[1],
    "aspect_ratio": _aspect_ratio,
    "megapixels": _megapixels,
    "timestamps": _timestamps,
    "llama3_chat": _llama3_chat,
}

PLACEHOLDERS = frozenset({*_FIELDS, *_COMPUTED})


def values(names: frozenset[str], params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of these placeholders for a request; one that the request does not have, or has empty, is left out."""
    found = {
        name: _COMPUTED[name](params) if name in _COMPUTED else params.get(_FIELDS[name])
        for name in names & PLACEHOLDERS
    }
    return {name: value for name, value in found.items() if value is not None and value != ""}


def placeholders_in(template: Any) -> frozenset[str]:
    """The names of every placeholder in an input template, however deep."""
    return frozenset(_placeholders(template))


def _placeholders(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield from (match[1] for match in _BRACES.finditer(template) if match[1])
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from _placeholders(value)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from _placeholders(value)


def fill(template: Any, found: Mapping[str, Any]) -> Any:
    """The template with its placeholders replaced.

    A string that is one placeholder alone takes the value with its type, and is left out of its table or list where
    there is none; inside a longer string a missing value is empty. Doubled braces stand for single ones. Inserted
    text is not read again, so braces in a prompt are just braces.
    """
    if isinstance(template, str):
        alone = _ALONE.fullmatch(template)
        if alone:
            return found.get(alone[1])
        return _BRACES.sub(lambda match: str(found.get(match[1], "")) if match[1] else match[0][0], template)
    if isinstance(template, Mapping):
        filled = {key: fill(value, found) for key, value in template.items()}
        return {key: value for key, value in filled.items() if value is not None}
    if isinstance(template, list | tuple):
        return [value for value in (fill(item, found) for item in template) if value is not None]
    return template


def fit(
    filled: Mapping[str, Any], limits: Mapping[str, tuple[float, float]], multiples: Mapping[str, int]
) -> dict[str, Any]:
    """Numbers clamped to the model's limits and rounded down to its multiples; whole numbers stay whole."""
    return {key: _fit_one(value, limits.get(key), multiples.get(key)) for key, value in filled.items()}


def _fit_one(value: Any, limit: tuple[float, float] | None, multiple: int | None) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    fitted: float = value
    if limit:
        fitted = min(max(fitted, limit[0]), limit[1])
    if multiple:
        lowest = math.ceil(limit[0] / multiple) * multiple if limit else multiple
        fitted = max(lowest, fitted // multiple * multiple)
    return int(fitted) if isinstance(value, int) else fitted


def split(pictures: int, per_job: int) -> list[int]:
    """How many pictures each of several jobs makes: 5 at 2 a job is [2, 2, 1]."""
    full, rest = divmod(pictures, per_job)
    return [per_job] * full + ([rest] if rest else [])
