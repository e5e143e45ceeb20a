"""Callers who go away."""

import asyncio
from pathlib import Path

import httpx
import pytest

from faults.house import House, house
from simulator import ReplicateApi, media
from support.waiting import eventually

ONLY_REPLICATE = """
[providers.replicate]
kind = "replicate"
[[routes]]
pipeline = "text-to-image"
[[routes.fallbacks]]
provider = "replicate"
model = "black-forest-labs/flux-schnell"
input = {{ prompt = "{{prompt}}", num_outputs = "{{num_images}}" }}
"""


async def leave_after(there: House, seconds: float) -> None:
    headers = {"x-spillway-prefer": "fallback-only"}
    with pytest.raises(httpx.ReadTimeout):
        await there.client.post(f"{there.url}/text-to-image", json={"prompt": "x"}, headers=headers, timeout=seconds)


@pytest.mark.parametrize("seconds", [1.0, 6.5], ids=["while it is created", "while it is polled"])
async def test_prediction_of_a_caller_who_left_is_cancelled(seconds: float, tmp_path: Path) -> None:
    replicate = ReplicateApi("r8_test", service_s=60.0)
    async with house(tmp_path, replicate=replicate, routes=ONLY_REPLICATE) as there:
        await leave_after(there, seconds)
        await eventually(lambda: {one.status for one in replicate.predictions.values()} == {"canceled"})
        assert replicate.created.total() == 1
        assert "spillway_body_bytes 0.0" in await there.metrics()


async def test_upload_that_breaks_off_is_never_tried(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        host, port = there.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        picture = media.picture(64, 64, 1, "png")
        head = b"POST /image-to-image HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        writer.write(head + b"Content-Length: 100000\r\n\r\n--b\r\n" + picture)
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.3)
        assert there.subnet.counters.tries == 0
        assert "spillway_body_bytes 0.0" in await there.metrics()
