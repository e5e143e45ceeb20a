"""Whole media pass, under their true type; cut ones and other files don't."""

import io

import pytest

from simulator import media
from spillway.adapters.media_inspector import MediaInspector
from spillway.domain.pipelines import Gives
from spillway.errors import MediaBroken

WHOLE: list[tuple[bytes, Gives, str]] = [
    (media.picture(64, 48, 1, "png"), "pictures", "image/png"),
    (media.picture(64, 48, 1, "jpg"), "pictures", "image/jpeg"),
    (media.picture(64, 48, 1, "webp"), "pictures", "image/webp"),
    (media.video(64, 48, 1), "video", "video/mp4"),
    (media.wav(1), "audio", "audio/wav"),
    (media.mp3(1), "audio", "audio/mpeg"),
]


@pytest.mark.parametrize(("data", "gives", "content_type"), WHOLE, ids=lambda value: str(value)[:12])
async def test_whole_media_have_their_true_type(data: bytes, gives: Gives, content_type: str) -> None:
    assert await MediaInspector().inspect(io.BytesIO(data), gives) == content_type


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.5, 0.8])
@pytest.mark.parametrize(("data", "gives", "content_type"), WHOLE[:5], ids=lambda value: str(value)[:12])
async def test_cut_media_are_found_out(data: bytes, gives: Gives, content_type: str, keep: float) -> None:
    with pytest.raises(MediaBroken):
        await MediaInspector().inspect(io.BytesIO(data[: int(len(data) * keep)]), gives)


@pytest.mark.parametrize("gives", ["pictures", "video", "audio"])
@pytest.mark.parametrize("data", [b"", b"<html></html>", b"\x00" * 1000, b"GIF89a", b"RIFF"])
async def test_other_files_are_no_media(data: bytes, gives: Gives) -> None:
    with pytest.raises(MediaBroken):
        await MediaInspector().inspect(io.BytesIO(data), gives)


async def test_picture_is_no_video() -> None:
    with pytest.raises(MediaBroken):
        await MediaInspector().inspect(io.BytesIO(media.picture(64, 48, 1, "png")), "video")
