"""Whole answers in the shape of OpenAI's API, made of those in Livepeer's."""

from collections.abc import Mapping
from typing import Any


def pictures(data: list[dict[str, Any]], model: str, created: float) -> dict[str, Any]:
    """The answer of /images/generations; each item of `data` has a `url` or a `b64_json`."""
    return {"created": int(created), "model": model, "data": data}


def chat(given: Mapping[str, Any], model: str, created: float) -> dict[str, Any]:
    """The answer of /chat/completions, whoever gave it."""
    body = {"object": "chat.completion", "created": int(created), **given, "model": model}
    body["choices"] = [
        {"index": index, "logprobs": None, **choice, "finish_reason": choice.get("finish_reason") or "stop"}
        for index, choice in enumerate(given["choices"])
    ]
    return body
