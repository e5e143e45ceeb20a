"""Facts of the simulator's media: real, sized as asked, repeatable, and cheap."""

import io
import time

import av
import pytest
from PIL import Image

from simulator import media


def load(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_picture_is_real_and_has_the_size_asked(kind: media.PictureFormat) -> None:
    assert load(media.picture(320, 200, 7, kind)).size == (320, 200)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_equal_seeds_give_equal_bytes_and_others_give_others(kind: media.PictureFormat) -> None:
    assert media.picture(64, 64, 7, kind) == media.picture(64, 64, 7, kind)
    assert len({media.picture(64, 64, seed, kind) for seed in range(50)}) == 50


def test_picture_of_another_seed_looks_otherwise() -> None:
    assert (
        load(media.picture(64, 64, 1)).convert("RGB").tobytes()
        != load(media.picture(64, 64, 5)).convert("RGB").tobytes()
    )


def test_half_a_picture_does_not_decode() -> None:
    with pytest.raises(OSError, match="truncated"):
        load(media.truncated(media.picture(256, 256, 1)))


def test_video_plays_with_the_frames_and_size_asked() -> None:
    with av.open(io.BytesIO(media.video(320, 180, 3, frames=5, fps=5))) as container:
        frames = list(container.decode(video=0))
    assert (len(frames), frames[0].width, frames[0].height) == (5, 320, 180)


def test_videos_of_equal_seed_are_equal_and_others_are_others() -> None:
    assert media.video(64, 64, 1) == media.video(64, 64, 1)
    assert media.video(64, 64, 1) != media.video(64, 64, 5)


def test_half_a_video_does_not_play() -> None:
    with pytest.raises(av.FFmpegError):
        av.open(io.BytesIO(media.truncated(media.video(64, 64, 1))))


@pytest.mark.parametrize("make", [media.wav, media.mp3])
def test_sounds_decode_to_half_a_second(make) -> None:
    with av.open(io.BytesIO(make(3))) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples == pytest.approx(8000, abs=1200)
    assert make(3) != make(4)


def test_mask_is_black_and_white() -> None:
    assert {colour for _, colour in load(media.mask(40, 30, 1)).getcolors()} == {0, 255}


def test_thousand_pictures_cost_less_than_a_second() -> None:
    media.picture(512, 512, 0)
    began = time.perf_counter()
    for seed in range(1000):
        media.picture(512, 512, seed)
    assert time.perf_counter() - began < 1
