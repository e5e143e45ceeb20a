"""What is told to people: a card for each thing, several cards in one notice. No channel's own format is in here."""

from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "changed", "gone", "note", "warning"]


@dataclass(frozen=True, slots=True)
class Card:
    """One thing that is told, in plain words: `facts` are names and values, `link` leads from the title, `at` is when
    it happened, in epoch seconds, `footnote` says what could not be had.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    text: str = ""
    link: str | None = None
    tone: Tone = "good"
    at: int | None = None
    footnote: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message: a line above its cards."""

    heading: str
    cards: tuple[Card, ...]
