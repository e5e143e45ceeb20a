"""GET /artifacts/{key}: kept results, with ranges and validators, and nothing a browser could take for a page."""

import re

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from spillway.ports import Artifact, Artifacts

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
YEAR_S = 31_536_000
LARGEST_SIZED = 30 * 1024 * 1024
"""Cloud Run refuses an answer of more than 32 MiB that names its length, and passes one on that comes in chunks."""


class ArtifactsEndpoint:
    """Serves what `artifacts` keeps."""

    def __init__(self, artifacts: Artifacts):
        self._artifacts = artifacts

    async def __call__(self, request: Request) -> Response:
        """200, 206, 304, 404 or 416."""
        artifact = await self._artifacts.find(request.path_params["key"])
        if artifact is None:
            return Response("no such artifact\n", 404, media_type="text/plain")
        headers = _headers(artifact)
        if headers["etag"] in [
            tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
        ]:
            return Response(None, 304, headers)
        place = _range(request, artifact, headers["etag"])
        if place is None:
            return Response(None, 416, {**headers, "content-range": f"bytes */{artifact.size}"})
        return self._send(request, artifact, headers, place)

    def _send(self, request: Request, artifact: Artifact, headers: dict[str, str], place: tuple[int, int]) -> Response:
        start, end = place
        headers["content-length"] = str(end - start)
        status = 200
        if (start, end) != (0, artifact.size):
            status = 206
            headers["content-range"] = f"bytes {start}-{end - 1}/{artifact.size}"
        if request.method == "HEAD":
            return Response(None, status, headers)
        if end - start > LARGEST_SIZED:
            del headers["content-length"]
        return StreamingResponse(self._artifacts.read(artifact, start, end), status, headers)


def _headers(artifact: Artifact) -> dict[str, str]:
    return {
        "content-type": artifact.content_type,
        "etag": f'"{artifact.etag}"',
        "accept-ranges": "bytes",
        "cache-control": f"public, max-age={YEAR_S}, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }


def _range(request: Request, artifact: Artifact, etag: str) -> tuple[int, int] | None:
    """The asked place; all of it where none, several, or one of an older version is asked; None where it is outside."""
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    whole = (0, artifact.size)
    if not match or request.headers.get("if-range", etag) != etag or match[0] == "bytes=-":
        return whole
    if not match[1]:
        last = int(match[2])
        return (max(0, artifact.size - last), artifact.size) if last else None
    start = int(match[1])
    end = min(int(match[2]) + 1, artifact.size) if match[2] else artifact.size
    if start >= artifact.size:
        return None
    return (start, end) if start < end else whole
