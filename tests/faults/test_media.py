"""Answers that look like answers and are not."""

from pathlib import Path

import pytest

from faults.house import PICTURES, ask, house
from simulator import ReplicateApi, media

BROKEN = ["empty", "not_json", "no_images", "truncated_media", "missing_media", "wrong_media"]


def path_of(kind: str) -> str:
    return "/stream/" if kind.endswith("_media") else "/text-to-image"


@pytest.mark.parametrize("kind", BROKEN)
async def test_broken_answer_is_replaced_by_a_whole_one(kind: str, tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        there.subnet.faults.add(kind, "" if kind.endswith("_media") else "/text-to-image")
        reply = await PICTURES[0].ask(there)
        assert (reply.status, reply.served_by, reply.attempts) == (200, "hosted", 2)
        assert await there.outcomes() == [("subnet", "broken-answer")]
        picture = await there.client.get(reply.body["images"][0]["url"])
    assert picture.headers["content-type"] == "image/png"


async def test_cut_video_is_a_broken_answer(tmp_path: Path) -> None:
    async with house(tmp_path, subnet_timeout=5) as there:
        there.subnet.faults.add("truncated_media")
        files = {"image": ("a.png", media.picture(64, 64, 1, "png"), "image/png")}
        sent = {"x-spillway-prefer": "subnet-only"}
        reply = await ask(there.client, f"{there.url}/image-to-video", sent, files=files)
        assert reply.status == 503
        assert await there.outcomes() == [("subnet", "broken-answer")]


async def test_flagged_picture_is_delivered(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        there.subnet.faults.add("nsfw")
        reply = await PICTURES[0].ask(there)
    assert (reply.served_by, reply.body["images"][0]["nsfw"]) == ("subnet", True)


async def test_without_verification_the_subnets_own_address_is_given(tmp_path: Path) -> None:
    async with house(tmp_path, verify="none") as there:
        reply = await PICTURES[0].ask(there)
        url = reply.body["images"][0]["url"]
        assert url.startswith(f"{there.subnet.url}/stream/")
        assert (await there.client.get(url)).status_code == 200


async def test_bad_uploads_of_one_caller_do_not_take_the_model_from_others(tmp_path: Path) -> None:
    replicate = ReplicateApi("r8_test", service_s=0.05, cold_start_s=0.05)
    async with house(tmp_path, replicate=replicate) as there:
        url = f"{there.url}/image-to-text"
        for _ in range(6):
            await ask(there.client, url, files={"image": ("a.png", b"no picture", "image/png")})
        good = await ask(there.client, url, files={"image": ("a.png", media.picture(64, 64, 1, "png"), "image/png")})
    assert good.served_by == "subnet"
