"""Scalable pictures, as text: elements, words, and paths that keep their numbers short."""

import itertools
from collections.abc import Iterable, Sequence
from html import escape

Point = tuple[float, float]


class Canvas:
    """An SVG picture under construction; `title` is for those who can't see it. A page may bring the style itself."""

    def __init__(self, width: float, height: float, title: str, style: str = ""):
        self.width = width
        size = f'width="{short(width)}" height="{short(height)}" viewBox="0 0 {short(width)} {short(height)}"'
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{clean(title)}</title>",
            *([f"<style>{style}</style>"] if style else []),
        ]

    def add(self, tag: str, kind: str, **attributes: float | str) -> None:
        """One element of a class of the style sheet; `title` is shown under the pointer."""
        title = clean(str(attributes.pop("title", "")))
        given = "".join(f' {name.replace("_", "-")}="{_value(value)}"' for name, value in attributes.items())
        inside = f"><title>{title}</title></{tag}>" if title else "/>"
        self._parts.append(f'<{tag} class="{kind}"{given}{inside}')

    def write(self, x: float, y: float, words: str, kind: str = "") -> None:
        """A line of words; the style sheet says where its anchor is."""
        self._parts.append(f'<text class="{kind}" x="{short(x)}" y="{short(y)}">{clean(words)}</text>')

    def __str__(self) -> str:
        """The file's text."""
        return "\n".join([*self._parts, "</svg>\n"])


def stairs(points: Sequence[Point]) -> str:
    """A path that holds each height until the next point."""
    (x, y), rest = points[0], points[1:]
    return f"M{short(x)} {short(y)}" + "".join(f"H{short(right)}V{short(height)}" for right, height in rest)


def under(points: Sequence[Point], floor: float) -> str:
    """The area between stairs and a floor."""
    return f"{stairs(points)}V{short(floor)}H{short(points[0][0])}Z"


def between(upper: Sequence[Point], lower: Sequence[Point]) -> str:
    """The area between two stairs over the same stretch."""
    return line([*_corners(upper), *reversed(_corners(lower))]) + "Z"


def line(points: Iterable[Point]) -> str:
    """A path from point to point."""
    return "M" + "L".join(f"{short(x)} {short(y)}" for x, y in points)


def box(left: float, top: float, right: float, bottom: float) -> str:
    """A closed rectangle."""
    return f"M{short(left)} {short(top)}H{short(right)}V{short(bottom)}H{short(left)}Z"


def _corners(points: Sequence[Point]) -> list[Point]:
    turns = [(right, height) for (_, height), (right, _) in itertools.pairwise(points)]
    return [corner for pair in zip(points, [*turns, points[-1]], strict=True) for corner in pair]


def short(value: float) -> str:
    """A number with one decimal at most, and no sign before a zero."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def clean(words: str) -> str:
    """Words as XML takes them: without what it forbids, such as control characters."""
    return escape("".join(letter if letter.isprintable() else " " for letter in words))


def _value(value: float | str) -> str:
    return clean(value) if isinstance(value, str) else short(value)
