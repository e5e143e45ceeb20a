"""What a go-livepeer gateway knows of orchestrators, from two endpoints of its CLI port.

`/getNetworkCapabilities`: every orchestrator that discovery found, with its slots for each model (live use only for
live video). `/getAISessionPoolsInfo`: for the models asked for lately, the orchestrators in the warm and cold pool,
how many are in use and which are suspended. After server/handlers.go of go-livepeer.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

CAPABILITIES = {
    27: "text-to-image",
    28: "image-to-image",
    29: "image-to-video",
    30: "upscale",
    31: "audio-to-text",
    32: "segment-anything-2",
    33: "llm",
    34: "image-to-text",
    36: "text-to-speech",
}
Key = tuple[str, str]


@dataclass(slots=True)
class Pool:
    """One pipeline and model: slots by orchestrator (host:port), those suspended now, sessions in use."""

    slots: dict[str, int] = field(default_factory=dict)
    suspended: set[str] = field(default_factory=set)
    in_use: int = 0

    @property
    def capacity(self) -> int:
        """The slots of those that get jobs now."""
        return sum(count for address, count in self.slots.items() if address not in self.suspended)


def address_of(url: str) -> str:
    """host:port of an orchestrator's URL, "" where it is none."""
    parts = urlsplit(url if "//" in url else f"//{url}")
    try:
        return f"{parts.hostname}:{parts.port or 8935}" if parts.hostname else ""
    except ValueError:
        return ""


def read_pools(capabilities: Any, sessions: Any) -> dict[Key, Pool]:
    """Both answers as one picture; either may be None. What has another shape is left out."""
    pools: defaultdict[Key, Pool] = defaultdict(Pool)
    for key, address, slots in _offers(capabilities):
        pools[key].slots[address] = max(slots, pools[key].slots.get(address, 0))
    for key, entry in _entries(sessions):
        pool = pools[key]
        for name in ("warm", "cold"):
            part = _mapping(entry.get(name))
            pool.in_use += _whole(part.get("in_use"))
            for address in _addresses(part):
                pool.slots.setdefault(address, 1)
        pool.suspended |= set(_suspended(_mapping(entry.get("suspended"))))
    return dict(pools)


def _offers(answer: Any) -> Iterator[tuple[Key, str, int]]:
    """Pipeline and model, address, slots: one of each model that an orchestrator offers."""
    for orchestrator in _mapping(answer).get("orchestrators") or []:
        address = address_of(str(_mapping(orchestrator).get("orch_uri", "")))
        constraints = _mapping(_mapping(_mapping(orchestrator).get("capabilities")).get("constraints"))
        for number, constraint in _mapping(constraints.get("PerCapability")).items():
            pipeline = CAPABILITIES.get(_whole(number))
            for model, offer in _mapping(_mapping(constraint).get("models")).items():
                if pipeline and address:
                    # Versions before capacities were told leave the number out: they have one slot.
                    yield (pipeline, model), address, max(1, _whole(_mapping(offer).get("capacity")))


def _entries(answer: Any) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    for name, entry in _mapping(answer).items():
        number, _, model = str(name).partition("_")
        pipeline = CAPABILITIES.get(_whole(number))
        if pipeline and model:
            yield (pipeline, model), _mapping(entry)


def _addresses(part: Mapping[str, Any]) -> Iterator[str]:
    for orchestrator in part.get("orchestrators") or []:
        address = address_of(str(_mapping(orchestrator).get("url", "")))
        if address:
            yield address


def _suspended(entry: Mapping[str, Any]) -> Iterator[str]:
    """An orchestrator is suspended until the gateway's count of refreshes has passed its number."""
    count = _whole(entry.get("current_count"))
    for url, until in _mapping(entry.get("list")).items():
        if _whole(until) >= max(1, count):
            yield address_of(url)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
