"""What the GIF competition's dApp does, by jobs alone: a prompt becomes a picture, and the picture a video."""

import io
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from faults.house import QUICK, TOKEN, House, house
from simulator import Fault, ReplicateApi, Service, SubnetGateway
from support.listening import Events, listening
from support.receiver import SECRET, receiving
from support.waiting import eventually

LATER = {"prefer": "respond-async"}
VIDEO = "image-to-video"
SHORT_CLIPS = {**QUICK, VIDEO: Service(0.4)}


async def followed(there: House, path: str, headers: dict[str, str] | None = None, **content: Any) -> Events:
    """Hand in a job, and listen to it until it has ended."""
    reply = await there.client.post(f"{there.url}/{path}", headers={**LATER, **(headers or {})}, **content)
    assert reply.status_code == 202, reply.text
    async with listening(there.client, f"{there.url}{reply.headers['location']}/events") as events:
        await events.until_end(40)
    return events


async def fetched(there: House, events: Events) -> bytes:
    """The picture or video that a job has made."""
    [image] = events.jobs()[-1]["result"]["images"]
    return (await there.client.get(image["url"])).raise_for_status().content


def frames(video: bytes) -> int:
    """How many pictures a video shows."""
    with av.open(io.BytesIO(video)) as clip:
        return sum(1 for _ in clip.decode(video=0))


@pytest.mark.parametrize("fault", [None, Fault("error", f"/{VIDEO}"), Fault("truncated_media", f"/{VIDEO}")])
async def test_prompt_becomes_a_picture_and_the_picture_a_video(tmp_path: Path, fault: Fault | None) -> None:
    """Where the subnet fails at the video, hosted inference makes it, and the job says so."""
    subnet = SubnetGateway(slots=4, service=SHORT_CLIPS, faults=[fault] if fault else [])
    replicate = ReplicateApi(TOKEN, service_s=0.3, cold_start_s=0.2)
    allowed: dict[str, Any] = {"allow_private_urls": True, "webhook_secret": SECRET}
    async with (
        receiving() as dapp,
        house(tmp_path, subnet=subnet, replicate=replicate, subnet_timeout=5, deadline=30, **allowed) as there,
    ):
        drawn = await followed(there, "text-to-image", json={"prompt": "an otter", "width": 256, "height": 256})
        assert [status for _, status in drawn.changes()] == ["queued", "running", "succeeded"]
        picture = await fetched(there, drawn)
        Image.open(io.BytesIO(picture)).load()
        animated = await followed(
            there,
            VIDEO,
            {"webhook-url": dapp.url, "idempotency-key": "clip-1"},
            files={"image": ("otter.png", picture, "image/png")},
            data={"fps": "6"},
        )
        statuses = [status for _, status in animated.changes()]
        assert (statuses[0], statuses[1], statuses[-1]) == ("queued", "running", "succeeded")
        assert [int(number or 0) for number, _ in animated.changes()] == list(range(1, len(statuses) + 1))
        assert animated.jobs()[-1]["served_by"] == ("replicate" if fault else "subnet")
        assert frames(await fetched(there, animated)) > 1
        await eventually(lambda: dapp.received)
        assert dapp.received[0].verified() == animated.jobs()[-1]
