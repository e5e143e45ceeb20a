"""What a finished job of each pipeline answers, in go-livepeer's shapes (ai/worker/runner.gen.go)."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from simulator import media
from simulator.calls import Call
from simulator.faults import Fault
from simulator.files import Files, Recipe
from simulator.words import tokens, words

MAX_WORDS = 40
VIDEO_SIZE = (1024, 576)


@dataclass(slots=True)
class Answers:
    """Makes answers and publishes their files under /stream/; `prefix` is put before those paths."""

    files: Files
    random: Random
    prefix: Callable[[], str]

    def of(self, call: Call, fault: Fault | None = None) -> dict[str, Any]:
        """The whole answer of any pipeline but a streamed /llm."""
        makers: dict[str, Callable[[Call, Fault | None], dict[str, Any]]] = {
            "text-to-speech": self._speech,
            "audio-to-text": self._transcript,
            "segment-anything-2": self._masks,
            "image-to-text": self._caption,
            "llm": self._chat,
        }
        return makers.get(call.pipeline, self._pictures)(call, fault)

    def _pictures(self, call: Call, fault: Fault | None) -> dict[str, Any]:
        if fault is not None and fault.kind == "no_images":
            return {"images": []}
        session = self._hex()
        nsfw = fault is not None and fault.kind == "nsfw"
        seeds = self._seeds(call)
        urls = [self._publish(session, *_recipe(call, seed), fault) for seed in seeds]
        return {"images": [{"nsfw": nsfw, "seed": seed, "url": url} for seed, url in zip(seeds, urls, strict=True)]}

    def _speech(self, call: Call, fault: Fault | None) -> dict[str, Any]:
        seconds = min(5.0, max(0.3, len(call.values["text"]) / 30))
        url = self._publish(self._hex(), partial(media.wav, len(call.values["text"]), seconds), "wav", fault)
        return {"audio": {"url": url}}

    def _transcript(self, call: Call, fault: Fault | None) -> dict[str, Any]:
        spoken = words(call.upload.sha256 if call.upload else "", 8)
        text = "".join(spoken)
        wanted = call.values.get("return_timestamps", "true")
        pieces = {"word": spoken, "false": []}.get(wanted, [text])
        chunks = [{"text": piece, "timestamp": [index * 0.5, index * 0.5 + 0.5]} for index, piece in enumerate(pieces)]
        return {"chunks": chunks, "text": text}

    def _masks(self, call: Call, fault: Fault | None) -> dict[str, Any]:
        count = 3 if call.values.get("multimask_output", True) else 1
        mask = [[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
        return {
            "logits": json.dumps([[[8.5, 6.25], [-3.5, -9.0]]] * count),
            "masks": json.dumps([mask] * count),
            "scores": json.dumps([round(0.97 - 0.2 * index, 2) for index in range(count)]),
        }

    def _caption(self, call: Call, fault: Fault | None) -> dict[str, Any]:
        return {"text": "".join(words(call.upload.sha256 if call.upload else "", 7))}

    def _chat(self, call: Call, fault: Fault | None) -> dict[str, Any]:
        said, reason = said_by(call)
        message = {"content": "".join(said), "role": "assistant"}
        choice: dict[str, Any] = {"finish_reason": reason, "index": 0, "message": message}
        if fault is not None and fault.kind == "no_end_marker":
            del choice["finish_reason"]
        return {"choices": [choice], **self._signed(call), "usage": _usage(call, len(said))}

    def chat_events(self, call: Call, *, finish_done: bool) -> tuple[list[bytes], int]:
        """The SSE lines of a streamed /llm, and how many of them at the end say that it is whole."""
        said, reason = said_by(call)
        signed = self._signed(call)
        deltas: list[tuple[str, str | None]] = [*((word, None) for word in said), ("", reason)]
        events = []
        for index, (text, finish) in enumerate(deltas):
            choice = {"delta": {"content": text, "role": "assistant"}, "index": 0}
            ended = {} if finish is None else {"finish_reason": finish}
            chunk = {"choices": [{**choice, **ended}], **signed, "usage": _usage(call, min(index + 1, len(said)))}
            events.append(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")
        return ([*events, b"data: [DONE]\n\n"], 2) if finish_done else (events, 1)

    def _signed(self, call: Call) -> dict[str, Any]:
        return {"created": int(time.time()), "id": f"chatcmpl-{self._hex()}{self._hex()}", "model": call.model}

    def _publish(self, session: str, make: Recipe, suffix: str, fault: Fault | None) -> str:
        path = self.files.publish(f"/stream/{session}/{self._hex()}.{suffix}", make, fault)
        return self.prefix() + path

    def _seeds(self, call: Call) -> list[int]:
        if "seed" in call.values:
            return [call.values["seed"] + index for index in range(call.count)]
        return [self.random.getrandbits(32) for _ in range(call.count)]

    def _hex(self) -> str:
        return f"{self.random.getrandbits(32):08x}"


def said_by(call: Call) -> tuple[list[str], str]:
    """The words of a chat answer and why it ended; the same question is answered the same."""
    wanted = 12 + tokens(str(call.values["messages"])) % (MAX_WORDS - 12)
    allowed = max(1, int(call.values["max_tokens"]))
    said = words(call.values["messages"], min(wanted, allowed))
    return said, "length" if allowed < wanted else "stop"


def _recipe(call: Call, seed: int) -> tuple[Recipe, str]:
    """How to make the picture or video that was asked for."""
    values, data = call.values, call.upload.data if call.upload else b""
    if call.pipeline == "image-to-video":
        width, height = values.get("width", VIDEO_SIZE[0]), values.get("height", VIDEO_SIZE[1])
        fps = values.get("fps", 6)
        return partial(media.video, width, height, seed, frames=fps, fps=fps), "mp4"
    width, height = media.picture_size(data) or (values.get("width", 512), values.get("height", 512))
    scale = 4 if call.pipeline == "upscale" else 1
    return partial(media.picture, width * scale, height * scale, seed), "png"


def _usage(call: Call, said: int) -> dict[str, int]:
    asked = tokens("".join(str(message.get("content", "")) for message in call.values["messages"]))
    return {"completion_tokens": said, "prompt_tokens": asked, "total_tokens": asked + said}
