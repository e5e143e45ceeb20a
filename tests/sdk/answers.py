"""What a caller may rely on in an answer of each pipeline, whoever gave it; media are fetched and decoded."""

import io
import json
from typing import Any

import av
import httpx
from PIL import Image

PIPELINES = (
    "text-to-image",
    "image-to-image",
    "image-to-video",
    "upscale",
    "audio-to-text",
    "llm",
    "segment-anything-2",
    "image-to-text",
    "text-to-speech",
)


def check(pipeline: str, answer: dict[str, Any], url: str, *, pictures: int = 1) -> None:
    """The front door at `url` gave this answer."""
    if "images" in answer:
        assert len(answer["images"]) == pictures
        for item in answer["images"]:
            _check_item(item, url, video=pipeline == "image-to-video")
        return
    checks = {"audio-to-text": _transcript, "llm": _chat, "segment-anything-2": _masks, "image-to-text": _caption}
    if pipeline in checks:
        checks[pipeline](answer)
    else:
        assert pipeline == "text-to-speech"
        assert decoded(fetched(answer["audio"]["url"], url), "audio")


def fetched(address: str, url: str) -> bytes:
    """The file behind an absolute address of the front door's own."""
    assert address.startswith(f"{url}/artifacts/")
    return httpx.get(address, timeout=10).raise_for_status().content


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height of a picture that is whole."""
    with Image.open(io.BytesIO(picture)) as image:
        image.load()
        return image.size


def decoded(content: bytes, kind: str) -> int:
    """How many frames of video or audio there are."""
    with av.open(io.BytesIO(content)) as container:
        return sum(1 for _ in container.decode(**{kind: 0}))


def _check_item(item: dict[str, Any], url: str, *, video: bool) -> None:
    assert (type(item["seed"]), type(item["nsfw"])) == (int, bool)
    content = fetched(item["url"], url)
    assert decoded(content, "video") if video else size_of(content)


def _transcript(answer: dict[str, Any]) -> None:
    assert answer["text"]
    assert all(chunk["text"] and len(chunk["timestamp"]) == 2 for chunk in answer["chunks"])
    assert answer["chunks"]


def _chat(answer: dict[str, Any]) -> None:
    assert answer["id"]
    assert answer["model"]
    assert answer["usage"]["total_tokens" if "total_tokens" in answer["usage"] else "totalTokens"] > 0
    assert answer["choices"][0]["message"]["content"]


def _masks(answer: dict[str, Any]) -> None:
    masks, scores, logits = (json.loads(answer[name]) for name in ("masks", "scores", "logits"))
    assert masks
    assert len(masks) == len(scores) == len(logits)


def _caption(answer: dict[str, Any]) -> None:
    assert answer["text"]
