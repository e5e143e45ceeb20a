"""Tells whether media are whole: Pillow decodes pictures, FFmpeg (PyAV) reads the containers of videos and sounds.

Both block, so they run in a thread, and are imported when the first file comes.
"""

import asyncio
from typing import Any, BinaryIO

from spillway.domain.pipelines import Gives
from spillway.errors import MediaBroken

LARGEST_PICTURE_PIXELS = 100_000_000
# Of the length that a sound's header promises: some encoders count their padding.
LEAST_SOUND = 0.9
_PICTURES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
# FFmpeg's demuxer names -> content type.
_CONTAINERS = {
    "mov,mp4,m4a,3gp,3g2,mj2": ("video/mp4", "audio/mp4"),
    "matroska,webm": ("video/webm", "audio/webm"),
    "wav": ("", "audio/wav"),
    "mp3": ("", "audio/mpeg"),
    "flac": ("", "audio/flac"),
    "ogg": ("video/ogg", "audio/ogg"),
}


class MediaInspector:
    """Adapter of ports.Inspector."""

    async def inspect(self, content: BinaryIO, gives: Gives) -> str:
        """The true content type, whatever the server called it. Raises MediaBroken."""
        content.seek(0)
        check = {"video": _video_or_gif, "audio": _sound}.get(gives, _picture)
        content_type = await asyncio.to_thread(check, content)
        content.seek(0)
        return content_type


def _picture(content: BinaryIO) -> str:
    from PIL import Image, ImageFile  # noqa: PLC0415 (needed only once a file is checked)

    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise RuntimeError("Pillow has been told to accept truncated pictures")
    try:
        with Image.open(content, formats=list(_PICTURES)) as picture:
            if picture.width * picture.height > LARGEST_PICTURE_PIXELS:
                raise MediaBroken(f"a picture of {picture.width} x {picture.height} pixels is too large")
            picture.load()
            return _PICTURES[str(picture.format)]
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaBroken(f"a picture is not whole ({type(error).__name__})") from error


def _video_or_gif(content: BinaryIO) -> str:
    if content.read(6) in (b"GIF87a", b"GIF89a"):
        content.seek(0)
        return _picture(content)
    content.seek(0)
    return _streams(content, video=True)


def _sound(content: BinaryIO) -> str:
    return _streams(content, video=False)


def _streams(content: BinaryIO, *, video: bool) -> str:
    """The container is opened and every packet read, so one whose index promises more than it holds is found out."""
    import av  # noqa: PLC0415 (needed only once a file is checked)

    word = "video" if video else "sound"
    try:
        with av.open(content, mode="r") as container:
            kinds = _CONTAINERS.get(container.format.name)
            streams = container.streams.video if video else container.streams.audio
            if not kinds or not streams:
                raise MediaBroken(f"a {word} is of another kind")
            _read_whole(container, streams[0], word)
            return kinds[0 if video else 1]
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaBroken(f"a {word} is not whole ({type(error).__name__})") from error


def _read_whole(container: Any, stream: Any, word: str) -> None:
    packets = ticks = 0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise MediaBroken(f"a {word} is cut")
        packets += packet.size > 0
        ticks += packet.duration or 0
    promised = stream.duration if word == "sound" else None
    if not packets or packets < stream.frames or ticks < (promised or 0) * LEAST_SOUND:
        raise MediaBroken(f"a {word} is cut")
