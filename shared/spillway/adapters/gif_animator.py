"""Makes GIFs: FFmpeg (PyAV) reads the video, Pillow draws its frames with one palette for all of them.

Both block, so they run in a thread, and are imported when the first video comes.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from spillway.errors import MediaBroken
from spillway.ports.gallery import Gif

WIDEST, FASTEST_FPS, LONGEST_S = 480, 12.0, 8.0
IN_MEMORY = 4 * 1024 * 1024
COLOURS = 256


class GifAnimator:
    """Adapter of ports.gallery.Animator: at most 480 pixels wide, 12 frames a second, 8 seconds."""

    async def animate(self, video: BinaryIO) -> Gif:
        """Raises MediaBroken."""
        video.seek(0)
        return await asyncio.to_thread(_animate, video)


def _animate(video: BinaryIO) -> Gif:
    import av  # noqa: PLC0415 (needed only once a GIF is made)

    try:
        with av.open(video, mode="r") as container:
            if not container.streams.video:
                raise MediaBroken("there is no picture in this video")
            frames, pause_ms = _frames(container)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaBroken(f"a video can't be read ({type(error).__name__})") from error
    if not frames:
        raise MediaBroken("a video has no frame")
    return _drawn(frames, pause_ms)


def _frames(container: Any) -> tuple[list[Any], int]:
    """The frames to be shown, and how long each is shown, in milliseconds."""
    rate = float(container.streams.video[0].average_rate or FASTEST_FPS)
    fps = min(rate, FASTEST_FPS)
    frames = [_small(frame) for frame in _thinned(container.decode(video=0), rate / fps, int(LONGEST_S * fps))]
    # GIF counts in hundredths of a second, and browsers slow down what is under two of them.
    return frames, max(2, round(100 / fps)) * 10


def _thinned(frames: Iterator[Any], step: float, most: int) -> Iterator[Any]:
    taken = 0
    for place, frame in enumerate(frames):
        if place >= taken * step:
            taken += 1
            yield frame
        if taken >= most:
            return


def _small(frame: Any) -> Any:
    width = min(WIDEST, frame.width)
    height = max(2, round(frame.height * width / frame.width))
    return frame.reformat(width=width, height=height, format="rgb24").to_image()


def _drawn(frames: list[Any], pause_ms: int) -> Gif:
    from PIL import Image  # noqa: PLC0415 (needed only once a GIF is made)

    palette = _sample(frames).quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
    content = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 (the caller closes it)
    first, *rest = drawn
    first.save(content, "GIF", save_all=True, append_images=rest, duration=pause_ms, loop=0, optimize=False)
    content.seek(0)
    return Gif(content, first.width, first.height, len(drawn))


def _sample(frames: list[Any]) -> Any:
    """The first, middle and last frame side by side: their colours are those of all."""
    from PIL import Image  # noqa: PLC0415 (needed only once a GIF is made)

    chosen = [frames[0], frames[len(frames) // 2], frames[-1]]
    sheet = Image.new("RGB", (3 * frames[0].width, frames[0].height))
    for place, frame in enumerate(chosen):
        sheet.paste(frame, (place * frame.width, 0))
    return sheet
