"""Messages of a Discord channel, and what Discord takes for one (resources/message)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_EMBEDS, LONGEST_CONTENT, LONGEST_EMBEDS = 10, 2000, 6000
LONGEST = {"title": 256, "description": 4096}


@dataclass(slots=True)
class Message:
    """A message of the channel; `edits` counts how often it was changed."""

    id: str
    content: str = ""
    embeds: list[dict[str, Any]] = field(default_factory=list)
    flags: int = 0
    edits: int = 0
    deleted: bool = False

    def shown(self) -> dict[str, Any]:
        """As the API gives it."""
        edited = "2026-11-01T00:00:00+00:00" if self.edits else None
        return {"id": self.id, "type": 0, "channel_id": "1", "webhook_id": "1", "content": self.content,
                "embeds": self.embeds, "flags": self.flags, "edited_timestamp": edited}  # fmt: skip

    def put(self, body: Mapping[str, Any]) -> None:
        """What a body names is replaced, what it doesn't stays."""
        self.content = body.get("content", self.content) or ""
        self.embeds = body.get("embeds", self.embeds) or []
        self.flags = body.get("flags", self.flags) or 0


def refused(body: Any, *, empty: bool = False) -> str | None:
    """What is wrong with a message, None where nothing is."""
    if not isinstance(body, dict):
        return "The request body contains invalid JSON."
    content, embeds = body.get("content") or "", body.get("embeds") or []
    checks = {
        "Cannot send an empty message": not empty,
        f"content: Must be {LONGEST_CONTENT} or fewer in length.": len(content) <= LONGEST_CONTENT,
        f"embeds: Must be {MOST_EMBEDS} or fewer in length.": len(embeds) <= MOST_EMBEDS,
        f"embeds: Embed size exceeds maximum size of {LONGEST_EMBEDS}": sum(map(length, embeds)) <= LONGEST_EMBEDS,
        "embeds: This field is required, or has a wrong length": all(map(_is_embed, embeds)),
    }
    return next((said for said, holds in checks.items() if not holds), None)


def length(embed: Mapping[str, Any]) -> int:
    """The characters of an embed that count."""
    texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", ""),
             embed.get("author", {}).get("name", "")]  # fmt: skip
    texts += [text for one in embed.get("fields", []) for text in (one["name"], one["value"])]
    return sum(map(len, texts))


def _is_embed(embed: Mapping[str, Any]) -> bool:
    fields = embed.get("fields", [])
    return (
        all(len(embed.get(name, "")) <= most for name, most in LONGEST.items())
        and len(fields) <= 25
        and all(1 <= len(one.get("name", "")) <= 256 and 1 <= len(one.get("value", "")) <= 1024 for one in fields)
        and len(embed.get("footer", {}).get("text", "")) <= 2048
        and str(embed.get("url", "https://")).startswith(("https://", "http://"))
    )
