"""Chat answers: what a whole one and its chunks look like, when one is complete, and when words have gone out."""

import json
from collections.abc import Mapping
from typing import Any

from spillway.domain.outcomes import error_code, error_message, is_context_error, is_refusal
from spillway.errors import BackendFailed, BrokenAnswer, ContentRefused, ContextTooLong, SpillwayError

# A backend that ends a run with one of these has not finished it.
_BROKEN_ENDS = frozenset({"error", "abort", "aborted", "cancelled", "canceled"})


def parse_chunk(data: str, backend: str) -> dict[str, Any]:
    """One chunk of a stream. Raises BrokenAnswer for rubbish, and what an in-band error stands for."""
    try:
        chunk = json.loads(data)
    except ValueError as error:
        raise BrokenAnswer(f"{backend} sent a chunk that is not JSON") from error
    if isinstance(chunk, Mapping) and chunk.get("error"):
        raise in_band(chunk, backend)
    if not isinstance(chunk, dict) or not isinstance(chunk.get("choices"), list):
        raise BrokenAnswer(f"{backend} sent a chunk without choices")
    if not all(isinstance(choice, dict) for choice in chunk["choices"]):
        raise BrokenAnswer(f"{backend} sent a choice that is no object")
    if finish_reason(chunk) in _BROKEN_ENDS:
        raise BrokenAnswer(f"{backend} gave its run up ({finish_reason(chunk)})")
    return chunk


def in_band(chunk: Mapping[str, Any], backend: str) -> SpillwayError:
    """The outcome of an error that came inside a stream."""
    message = error_message(chunk, "error in the stream")
    if is_refusal(message, chunk):
        return ContentRefused(message, code=error_code(chunk) or "content_refused")
    if is_context_error(message, chunk):
        return ContextTooLong(message)
    return BackendFailed(f"{backend}: {message}"[:300])


def finish_reason(chunk: Mapping[str, Any]) -> str:
    """Why the answer ended; "" while it has not."""
    for choice in chunk["choices"]:
        if choice.get("finish_reason"):
            return str(choice["finish_reason"])
    return ""


def words(chunk: Mapping[str, Any]) -> str:
    """The text (or the call of a tool) that this chunk adds."""
    said = []
    for choice in chunk["choices"]:
        delta = choice.get("delta") or choice.get("message") or {}
        if isinstance(delta, Mapping):
            said.append(delta.get("content") or delta.get("reasoning_content") or delta.get("refusal") or "")
            said.append(json.dumps(delta["tool_calls"]) if delta.get("tool_calls") else "")
    return "".join(part for part in said if isinstance(part, str))


def check_whole(body: Any, backend: str) -> dict[str, Any]:
    """A whole answer, checked: it has a choice with a message. Raises BrokenAnswer."""
    if isinstance(body, Mapping) and body.get("error"):
        raise in_band(body, backend)
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BrokenAnswer(f"{backend}'s answer has no choices")
    for choice in choices:
        message = choice.get("message")
        if not isinstance(message, Mapping) or not (
            isinstance(message.get("content"), str) or message.get("tool_calls")
        ):
            raise BrokenAnswer(f"{backend}'s answer has no message")
        if choice.get("finish_reason") in _BROKEN_ENDS:
            raise BrokenAnswer(f"{backend} gave its run up ({choice['finish_reason']})")
    return dict(body)


def chunk(*, completion_id: str, model: str, text: str = "", finish: str | None = None) -> dict[str, Any]:
    """A chunk in OpenAI's shape, for backends that have none of their own."""
    delta = {"role": "assistant", "content": text}
    return {"id": completion_id, "model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
