"""How kept results are given out."""

from collections.abc import AsyncGenerator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from spillway.adapters.memory_artifacts import MemoryArtifacts
from spillway.edge.artifacts import LARGEST_SIZED, ArtifactsEndpoint
from spillway.ports import Artifact

KEY = f"{'a' * 64}.mp4"


class LongVideo(MemoryArtifacts):
    """One video of any size, which nobody has to hold."""

    def __init__(self, size: int):
        super().__init__()
        self._artifact = Artifact(KEY, "video/mp4", size, "a" * 64)

    async def find(self, key: str) -> Artifact | None:
        return self._artifact

    async def read(self, artifact: Artifact, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        yield b"the first piece"


async def headers(size: int, method: str = "GET", **asked: str) -> httpx.Headers:
    app = Starlette(routes=[Route("/artifacts/{key}", ArtifactsEndpoint(LongVideo(size)).__call__)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        answer = await client.request(method, f"/artifacts/{KEY}", headers=asked)
        return answer.headers


@pytest.mark.parametrize("size", [1, LARGEST_SIZED])
async def test_length_is_told(size: int) -> None:
    assert (await headers(size))["content-length"] == str(size)


async def test_what_is_larger_than_cloud_run_allows_comes_in_chunks() -> None:
    assert "content-length" not in await headers(LARGEST_SIZED + 1)
    part = await headers(2 * LARGEST_SIZED, range=f"bytes=5-{LARGEST_SIZED + 5}")
    assert part["content-range"] == f"bytes 5-{LARGEST_SIZED + 5}/{2 * LARGEST_SIZED}"
    assert "content-length" not in part


async def test_head_tells_any_length() -> None:
    assert (await headers(2 * LARGEST_SIZED, "HEAD"))["content-length"] == str(2 * LARGEST_SIZED)
