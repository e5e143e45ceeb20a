"""Discord, through a webhook. The webhook's URL is a secret: it is in no error and no log.

From Discord's documentation: resources/webhook, resources/message, topics/rate-limits (November 2026).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from spillway.adapters.http import Answer, HttpPool, error_body, retry_after
from spillway.adapters.json_api import JsonApi, Throttled
from spillway.domain.cards import Card, Notice, Tone
from spillway.domain.outcomes import hosted_outcome
from spillway.errors import BadSettings, BrokenAnswer, MessageGone, RequestRejected, SpillwayError

BACKEND = "Discord"
TRY_S, CALL_S = 8.0, 25.0
# Embeds of a message may have 6,000 characters together; how others than Latin ones are counted is not documented.
MOST_EMBEDS, LONGEST_EMBEDS, LONGEST_CONTENT = 10, 5800, 2000
MOST_FACTS, LONGEST_FACT, LONGEST_NAME, LONGEST_TITLE, LONGEST_TEXT, LONGEST_FOOTNOTE = 12, 320, 60, 200, 700, 300
UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK, WRONG_TOKEN = 10008, 10015, 50027
_COLOURS: Mapping[Tone, int] = {
    "good": 0x0B6E4F,
    "changed": 0xD98E04,
    "gone": 0xA8322A,
    "note": 0x3B6EA8,
    "warning": 0xD9480F,
}
# Names come from strangers: they must not become links, mentions or formatting.
_MARKUP = re.compile(r"([\\*_~`|<>\[\]@#]|:(?=//))")


class DiscordWebhook:
    """Adapter of ports.announcements.Channel. A message is made with `wait=true`, so that its id comes back."""

    def __init__(self, pool: HttpPool, webhook_url: str, *, try_s: float = TRY_S, call_s: float = CALL_S):
        parts = urlsplit(webhook_url)
        self._api = _WebhookApi(
            BACKEND, pool, f"{parts.scheme}://{parts.netloc}{parts.path}", try_s=try_s, call_s=call_s
        )
        # A webhook for a thread names it in the query of each call.
        self._query = [pair for pair in parse_qsl(parts.query) if pair[0] == "thread_id"]

    async def check(self) -> None:
        """Raises BadSettings where Discord itself says that it gave out no such webhook."""
        try:
            await self._api.call("GET", self._path(""))
        except RequestRejected as error:
            if (error.body or {}).get("code") in (UNKNOWN_WEBHOOK, WRONG_TOKEN):
                raise BadSettings(f"SPILLWAY_DISCORD_WEBHOOK_URL: {error}") from None
            raise

    def room(self, cards: Sequence[Card]) -> int:
        """Ten embeds, and as many characters as Discord takes."""
        total = 0
        for count, card in enumerate(cards[:MOST_EMBEDS]):
            total += _length(_embed(card))
            if total > LONGEST_EMBEDS and count:
                return count
        return min(len(cards), MOST_EMBEDS)

    async def prepare(self, heading: str) -> str:
        """A message without embeds. A try that may have arrived is not repeated here."""
        body = {"content": _plain(heading, LONGEST_CONTENT), "allowed_mentions": {"parse": []}}
        answer = await self._api.call("POST", self._path("", wait="true"), body, repeat=False)
        return _message_id(answer)

    async def fill(self, message_id: str, notice: Notice) -> None:
        """An edit, repeated until the answer is the message as it should be."""
        embeds = [_embed(card) for card in notice.cards]
        body = {
            "content": _plain(notice.heading, LONGEST_CONTENT),
            "embeds": embeds,
            "allowed_mentions": {"parse": []},
        }
        answer = await self._api.call("PATCH", self._path(f"/messages/{quote(message_id, safe='')}"), body)
        if _message_id(answer) != message_id or len(answer.get("embeds", embeds)) != len(embeds):
            raise BrokenAnswer(f"{BACKEND} answered an edit with another message")

    async def discard(self, message_id: str) -> None:
        """Delete it."""
        try:
            await self._api.call("DELETE", self._path(f"/messages/{quote(message_id, safe='')}"))
        except MessageGone:
            return

    def _path(self, path: str, **query: str) -> str:
        pairs = [*query.items(), *self._query]
        return f"{path}?{urlencode(pairs)}" if pairs else path


class _WebhookApi(JsonApi):
    """The calls; what goes wrong is told by status, by Discord's own code, and by `retry_after` of a 429's body."""

    async def call(self, method: str, path: str, body: Any = None, *, repeat: bool = True) -> Any:
        """As the base does, but the library's error, which may name the URL, is not shown with ours."""
        try:
            return await super().call(method, path, body, repeat=repeat)
        except SpillwayError as error:
            raise error from None

    async def _outcome(self, response: Answer) -> SpillwayError:
        status, header_s = response.status_code, retry_after(response.headers)
        _, body = await error_body(response, self.name)
        told = body or {}
        if status == 429:
            return Throttled(f"{self.name} limits the rate of calls", retry_after_s=_longest(told, header_s))
        if status == 404 and told.get("code") == UNKNOWN_MESSAGE:
            return MessageGone(f"{self.name} has no such message any more")
        if 400 <= status < 500 and status != 408:
            return RequestRejected(
                f"{self.name} refused the call ({status}: {_reason(status)})", status=status, body=told
            )
        return hosted_outcome(status, f"{self.name} failed ({status})", retry_after_s=header_s)


def _longest(body: Mapping[str, Any], header_s: float | None) -> float:
    """The header is in whole seconds and may be rounded down; the body's number is exact."""
    told = body.get("retry_after")
    told_s = float(told) if isinstance(told, int | float) and told >= 0 else 0.0
    return max(told_s, header_s or 0.0)


def _reason(status: int) -> str:
    return {
        401: "the webhook's token is not the one that Discord gave out",
        403: "the webhook may not post here",
        404: "there is no such webhook, or no such thread, any more",
    }.get(status, "the message is not as Discord wants it")


def _message_id(answer: Any) -> str:
    """Raises BrokenAnswer where the answer is no message."""
    told = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(told, str) or not told:
        raise BrokenAnswer(f"{BACKEND}'s answer is no message")
    return told


def _embed(card: Card) -> dict[str, Any]:
    embed: dict[str, Any] = {"title": _plain(card.title, LONGEST_TITLE), "color": _COLOURS[card.tone]}
    fields = [
        {"name": _plain(name, LONGEST_NAME), "value": _plain(value, LONGEST_FACT), "inline": len(value) < 40}
        for name, value in card.facts[:MOST_FACTS]
        if name and value
    ]
    optional = {
        "description": _plain(card.text, LONGEST_TEXT),
        "url": card.link,
        "fields": fields,
        "timestamp": None if card.at is None else datetime.fromtimestamp(card.at, UTC).isoformat(),
        "footer": {"text": card.footnote[:LONGEST_FOOTNOTE]} if card.footnote else None,
    }
    return embed | {name: value for name, value in optional.items() if value}


def _plain(text: str, most: int) -> str:
    """Shown as it is written; what is too long ends with an ellipsis, never within an escape."""
    shown = _MARKUP.sub(r"\\\1", text)
    while len(shown) > most:
        text = text[: len(text) - max(1, (len(shown) - most) // 2) - 1]
        shown = _MARKUP.sub(r"\\\1", text) + "…"
    return shown


def _length(embed: Mapping[str, Any]) -> int:
    """The characters that Discord counts."""
    fields = sum(len(one["name"]) + len(one["value"]) for one in embed.get("fields", []))
    footer = len(embed.get("footer", {}).get("text", ""))
    return len(embed["title"]) + len(embed.get("description", "")) + fields + footer
