"""Choosing among the masks that a segmenter found by itself: those that the caller's points and box speak of."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INSIDE = 128
MOST_MASKS = 3


@dataclass(frozen=True, slots=True)
class Mask:
    """One mask: `width` x `height` grey values, row by row, 128 and more inside; `small` is a smaller copy."""

    width: int
    height: int
    pixels: bytes
    small: bytes = b""

    def rows(self) -> Iterator[bytes]:
        """The pixels row by row."""
        return (self.pixels[start : start + self.width] for start in range(0, len(self.pixels), self.width))

    def small_rows(self, side: int) -> Iterator[bytes]:
        """The small copy row by row."""
        return (self.small[start : start + side] for start in range(0, len(self.small), side))

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        column, row = int(x), int(y)
        return 0 <= column < self.width and 0 <= row < self.height and self.pixels[row * self.width + column] >= INSIDE

    def area(self) -> int:
        """Pixels inside."""
        return sum(value >= INSIDE for value in self.pixels)

    def box(self) -> tuple[int, int, int, int]:
        """The smallest box around it: left, top, right, bottom."""
        ys = [y for y, row in enumerate(self.rows()) if max(row, default=0) >= INSIDE]
        if not ys:
            return (0, 0, 0, 0)
        xs = [x for row in self.rows() for x, value in enumerate(row) if value >= INSIDE]
        return (min(xs), ys[0], max(xs) + 1, ys[-1] + 1)


def rank(masks: Sequence[Mask], params: Mapping[str, Any]) -> list[Mask]:
    """The masks that hold every foreground point and no background point, nearest to the box or smallest first.

    Where there is none, all of them count: a segmenter always answers with one.

    At most three, one where `multimask_output` is false. Points and box are in pixels, as JSON in strings.
    """
    points, labels, box = (_numbers(params.get(name)) for name in ("point_coords", "point_labels", "box"))
    pairs = [(point, labels[i] if i < len(labels) else 1) for i, point in enumerate(points)]
    fitting = [mask for mask in masks if all(mask.holds(*point) == (label == 1) for point, label in pairs)]
    fitting = fitting or list(masks)
    if len(box) == 4:
        fitting.sort(key=lambda mask: -_overlap(mask.box(), tuple(box)))
    else:
        fitting.sort(key=Mask.area)
    return fitting[: 1 if params.get("multimask_output") is False else MOST_MASKS]


def _numbers(text: Any) -> list[Any]:
    if not isinstance(text, str) or not text.strip():
        return []
    found = json.loads(text)
    return found if isinstance(found, list) else []


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    across = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - across * down
    return across * down / union if union else 0.0
