"""Tells whether media are whole by decoding them: Pillow for pictures, FFmpeg (PyAV) for videos and sounds.

Decoding blocks, so it runs in a thread; both libraries are imported when the first file comes.
"""

import asyncio
from typing import BinaryIO

from spillway.domain.pipelines import Gives
from spillway.errors import MediaBroken

LARGEST_PICTURE_PIXELS = 100_000_000
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
    """Every packet is read, so a file whose index promises more than it holds is found out; one frame is decoded."""
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


def _read_whole(container: "object", stream: "object", word: str) -> None:
    packets, decoded = 0, False
    for packet in container.demux(stream):  # type: ignore[attr-defined]
        if packet.is_corrupt:
            raise MediaBroken(f"a {word} is cut")
        packets += packet.size > 0
        decoded = decoded or bool(packet.decode())
    if not decoded or packets < stream.frames:  # type: ignore[attr-defined]
        raise MediaBroken(f"a {word} is cut")
