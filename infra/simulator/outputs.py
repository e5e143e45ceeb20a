"""What a hosted model gives for an input: files under /files/, or words."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

from simulator import media
from simulator.faults import Fault
from simulator.files import Files, Recipe
from simulator.schemas import Model
from simulator.words import words

KEPT_S = 3600.0
COUNTS = ("num_outputs", "num_images", "number_of_images")
LENGTHS = ("max_tokens", "max_new_tokens", "max_completion_tokens", "max_length")
SHORT_SIDE = 512
MAX_WORDS = 32


@dataclass(slots=True)
class Outputs:
    """Makes outputs; files are had for an hour under the address that `base` gives when it is known."""

    files: Files

    def of(self, model: Model, given: Mapping[str, Any], place: str, now_s: float, fault: Fault | None) -> Any:
        """The output of a prediction whose files go to `place`, an absolute URL."""
        values = model.completed(given)
        if model.output in {"text", "text[]"}:
            said = spoken(values)
            return said if model.output == "text[]" else "".join(said)
        if fault is not None and fault.kind == "no_images":
            return [] if model.output == "image[]" else None
        publish = partial(self._publish, place, now_s + KEPT_S, fault)
        if model.output == "json":
            return _filled(model.example_output or {"text": "".join(spoken(values))}, values, publish)
        made = [publish(*recipe) for recipe in _recipes(model, values)]
        return made if model.output == "image[]" else made[0]

    def _publish(self, place: str, until_s: float, fault: Fault | None, name: str, make: Recipe) -> str:
        path = "/files/" + place.split("/files/", 1)[1] + name
        self.files.publish(path, make, fault, until_s)
        return place + name


def spoken(values: Mapping[str, Any]) -> list[str]:
    """The words of a language model; the same input is answered the same."""
    allowed = next((values[name] for name in LENGTHS if values.get(name)), MAX_WORDS)
    seed = seed_of(values)
    return words(seed, min(12 + seed % 20, int(allowed)))


def seed_of(values: Mapping[str, Any]) -> int:
    """The input's own seed, or one made of the whole input."""
    seed = values.get("seed")
    return seed if isinstance(seed, int) and seed >= 0 else crc32(repr(sorted(values.items())).encode())


def _recipes(model: Model, values: Mapping[str, Any]) -> list[tuple[str, Recipe]]:
    seed = seed_of(values)
    if model.output == "audio":
        sound = "mp3" if "mp3" in {values.get("audio_format"), values.get("output_format")} else "wav"
        return [(f"output.{sound}", partial(media.mp3 if sound == "mp3" else media.wav, seed))]
    if model.output == "video":
        fps = int(values.get("frames_per_second", 6))
        return [("output.mp4", partial(media.video, 832, 480, seed, frames=min(8, fps), fps=fps))]
    kind = media.picture_format(values.get("output_format"))
    width, height = _size(values)
    count = next((int(values[name]) for name in COUNTS if name in values), 1)
    return [
        (f"out-{index}.{kind}", partial(media.picture, width, height, seed + index, kind)) for index in range(count)
    ]


def _size(values: Mapping[str, Any]) -> tuple[int, int]:
    """What the input says of the size: in numbers, as a ratio, by its own picture; else a small square."""
    if isinstance(values.get("width"), int) and isinstance(values.get("height"), int):
        return values["width"], values["height"]
    wide, _, high = str(values.get("aspect_ratio", "")).partition(":")
    if wide.isdigit() and high.isdigit():
        unit = SHORT_SIDE / min(int(wide), int(high))
        return round(int(wide) * unit / 8) * 8, round(int(high) * unit / 8) * 8
    scale = float(values.get("scale", values.get("scale_factor", 1)))
    width, height = input_size(values) or (SHORT_SIDE, SHORT_SIDE)
    return int(width * scale), int(height * scale)


def input_size(values: Mapping[str, Any]) -> tuple[int, int] | None:
    """The size of the first picture that came as a data URI."""
    for value in values.values():
        if isinstance(value, str) and value.startswith("data:"):
            try:
                return media.picture_size(base64.b64decode(value.partition(",")[2]))
            except binascii.Error:
                return None
    return None


def _filled(example: Any, values: Mapping[str, Any], publish: Any) -> Any:
    """The model's own example with its files replaced by ones that can be had."""
    size = input_size(values) or (SHORT_SIDE, SHORT_SIDE)
    count = 0

    def fill(value: Any) -> Any:
        nonlocal count
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        if not (isinstance(value, str) and value.startswith("http")):
            return value
        count += 1
        return publish(value.rpartition("/")[2], partial(media.mask, *size, count))

    return fill(example)
