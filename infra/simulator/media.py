"""Small real pictures, videos and sounds: equal seeds give equal bytes, other seeds give others.

A load test asks for thousands of them on two cores, so the costly part (pixels, frames) is made once for each size
and kept; what the seed changes (a palette, an MP4 box of its own) is spliced in.
"""

import array
import colorsys
import io
import math
import struct
import wave
import zlib
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal

import av
from PIL import Image, ImageChops

PictureFormat = Literal["png", "jpg", "webp"]

CONTENT_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "mp4": "video/mp4",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "html": "text/html; charset=utf-8",
}

MAX_SIDE = 4096
PATTERNS = 4
SHADES = 16
AUDIO_RATE = 16_000
WRONG_PAGE = b"<!DOCTYPE html><html><head><title>Not found</title></head><body>Nothing to see here.</body></html>\n"

# MP4, JPEG and WebP cost more than a palette swap: a few kept variants stand for all seeds, told apart by bytes after
# the end, which decoders leave alone.
VARIANTS = 4


def picture_format(asked: object) -> PictureFormat:
    """The format of that name; PNG where there is none."""
    known: dict[object, PictureFormat] = {"jpg": "jpg", "jpeg": "jpg", "webp": "webp"}
    return known.get(asked, "png")


def picture(width: int = 512, height: int = 512, seed: int = 0, kind: PictureFormat = "png") -> bytes:
    """A whole picture of exactly this size (sides are bounded to 1..4096)."""
    width, height = (max(1, min(MAX_SIDE, side)) for side in (width, height))
    if kind == "png":
        return _palette_png(width, height, seed)
    return _encoded_picture(width, height, seed % VARIANTS, kind) + b"seed %d" % seed


@lru_cache(maxsize=64)
def mask(width: int = 512, height: int = 512, index: int = 0) -> bytes:
    """A segmentation mask: white where the thing is, black elsewhere; each index another thing."""
    image = Image.new("L", (max(1, width), max(1, height)))
    left, top = width * (index % 3) // 4, height * (index % 2) // 3
    image.paste(255, (left, top, left + max(1, width // 3), top + max(1, height // 2)))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def video(width: int = 256, height: int = 144, seed: int = 0, *, frames: int = 6, fps: int = 6) -> bytes:
    """An H.264 MP4 of a second or so; sides are made even, as the codec wants them."""
    width, height = (max(16, min(1024, side)) // 2 * 2 for side in (width, height))
    fps = max(1, min(60, fps))
    box = struct.pack(">I4sQ", 16, b"free", seed % 2**64)
    return _encoded_video(width, height, seed % VARIANTS, max(1, min(25, frames)), fps) + box


@lru_cache(maxsize=256)
def wav(seed: int = 0, seconds: float = 0.5) -> bytes:
    """A tone as 16 bit mono WAV; its pitch and its first samples depend on the seed."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(AUDIO_RATE)
        file.writeframes(_tone(seed, seconds).tobytes())
    return out.getvalue()


@lru_cache(maxsize=64)
def mp3(seed: int = 0, seconds: float = 0.5) -> bytes:
    """The same tone as MP3."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=AUDIO_RATE, layout="mono")
        samples = _tone(seed, seconds)
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
        frame.sample_rate = AUDIO_RATE
        frame.planes[0].update(samples.tobytes())
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=AUDIO_RATE)
        for part in resampler.resample(frame):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return out.getvalue()


def truncated(data: bytes, keep: float = 0.5) -> bytes:
    """The file as a broken download leaves it: its beginning, and nothing after."""
    return data[: max(1, int(len(data) * keep))]


def content_type(name: str) -> str:
    """The content type that a server gives a file of this name."""
    return CONTENT_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height if these bytes begin as a picture does; the header alone is read."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def _palette_png(width: int, height: int, seed: int) -> bytes:
    head, tail = _png_halves(width, height, seed % PATTERNS)
    return b"".join((head, _chunk(b"PLTE", _palette(seed)), _chunk(b"tEXt", b"seed\0%d" % seed), tail))


@lru_cache(maxsize=64)
def _png_halves(width: int, height: int, pattern: int) -> tuple[bytes, bytes]:
    """What stands before and after the palette in Pillow's PNG of this pattern."""
    image = _pattern(width, height, pattern)
    image.putpalette(_palette(0))
    out = io.BytesIO()
    image.save(out, "PNG", bits=4)
    data = out.getvalue()
    start = data.index(b"PLTE") - 4
    end = start + 12 + struct.unpack(">I", data[start : start + 4])[0]
    return data[:start], data[end:]


def _pattern(width: int, height: int, pattern: int) -> Image.Image:
    """Rings and waves in a few shades, as a palette picture."""
    rings = Image.radial_gradient("L")
    waves = Image.linear_gradient("L").rotate(90 * pattern)
    mixed = ImageChops.add_modulo(rings, waves) if pattern % 2 else ImageChops.difference(rings, waves)
    shades = mixed.resize((width, height), Image.Resampling.NEAREST).point(
        [value * SHADES // 256 for value in range(256)]
    )
    return Image.frombytes("P", (width, height), shades.tobytes())


def _palette(seed: int) -> bytes:
    hue = (seed * 0.618034) % 1.0
    colours = (
        colorsys.hsv_to_rgb(
            (hue + 0.35 * shade / SHADES) % 1.0, 0.75 - 0.4 * shade / SHADES, 0.25 + 0.75 * shade / SHADES
        )
        for shade in range(SHADES)
    )
    return bytes(int(255 * channel) for colour in colours for channel in colour)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@lru_cache(maxsize=64)
def _encoded_picture(width: int, height: int, variant: int, kind: PictureFormat) -> bytes:
    out = io.BytesIO()
    _colours(width, height, variant).save(out, "JPEG" if kind == "jpg" else "WEBP", quality=60, method=0)
    return out.getvalue()


@lru_cache(maxsize=32)
def _encoded_video(width: int, height: int, variant: int, frames: int, fps: int) -> bytes:
    out = io.BytesIO()
    still = _colours(width, height, variant)
    frames_of: Any = av.VideoFrame
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(fps), options={"preset": "ultrafast", "crf": "35"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        for index in range(frames):
            shifted = ImageChops.offset(still, index * width // (4 * frames), 0)
            container.mux(stream.encode(frames_of.from_image(shifted)))
        container.mux(stream.encode(None))
    return out.getvalue()


def _colours(width: int, height: int, variant: int) -> Image.Image:
    image = _pattern(width, height, variant)
    image.putpalette(_palette(variant))
    return image.convert("RGB")


def _tone(seed: int, seconds: float) -> "array.array[int]":
    step = 2 * math.pi * (220 + seed % 24 * 20) / AUDIO_RATE
    samples = array.array("h", (int(9000 * math.sin(step * index)) for index in range(int(AUDIO_RATE * seconds))))
    for index, byte in enumerate(struct.pack(">q", seed % 2**63)):
        samples[index] = byte
    return samples
