"""The GIF competition: videos of finished jobs become entries, entries get votes, operators may hide them."""

import hashlib
import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, BinaryIO, cast

from spillway.domain.callers import Caller
from spillway.domain.gallery import LONGEST_NAME, LONGEST_PROMPT, Entry, Order, ordered, read_entry, words
from spillway.errors import BadRequest, Conflict, Overloaded, StoreUnavailable
from spillway.ports import Artifacts, Clock
from spillway.ports.gallery import Animator
from spillway.ports.store import Store
from spillway.services.job_views import JobViews
from spillway.services.jobs import JobDesk

FOLDER = "gallery"
KEPT = 500
MOST_TRIES = 10
IN_MEMORY = 4 * 1024 * 1024
VOTES_A_MINUTE = 20


class Gallery:
    """Everything about entries. `epoch` is the clock that instances share."""

    def __init__(
        self, store: Store, artifacts: Artifacts, animator: Animator, desk: JobDesk, views: JobViews, *, epoch: Clock
    ):
        self._store, self._artifacts, self._animator = store, artifacts, animator
        self._desk, self._views, self._epoch = desk, views, epoch
        self._votes: dict[str, list[float]] = {}

    async def enter(self, job_id: str, caller: Caller, prompt: object, name: object) -> Entry:
        """Make a GIF of a finished video and show it; asked twice for one job, it is shown once.

        Raises BadRequest, MediaBroken and StoreUnavailable.
        """
        said, called = words(prompt, LONGEST_PROMPT, "prompt"), words(name, LONGEST_NAME, "name")
        job = await self._desk.find(job_id, caller)
        if known := await self._store.read(FOLDER, job.id):
            return read_entry(known.body)
        video = _video_of(job.pipeline, (await self._views.now(job))["result"])
        entry = await self._made(job.id, video, said, called, job.served_by)
        try:
            await self._store.replace(FOLDER, entry.id, entry.body(), None)
        except Conflict:
            return (await self._found(entry.id))[0]
        return entry

    async def _made(self, job_id: str, video: str, prompt: str, name: str, served_by: str) -> Entry:
        with await self._fetched(video) as content:
            gif = await self._animator.animate(content)
        with gif.content:
            artifact = await self._artifacts.put(gif.content, "image/gif")
        return Entry(job_id, prompt, name, artifact.key, video, served_by, self._epoch(), gif.width, gif.height)

    async def _fetched(self, key: str) -> BinaryIO:
        artifact = await self._artifacts.find(key)
        if artifact is None:
            raise BadRequest("this video is kept no longer: make it again", status=410, code="gone")
        content = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 (the caller closes it)
        async for piece in self._artifacts.read(artifact):
            content.write(piece)
        content.seek(0)
        return content

    async def entries(self, order: Order, limit: int) -> Sequence[Entry]:
        """Those that may be seen. The oldest beyond KEPT are forgotten, the best of all times among them not."""
        found = [read_entry(document.body) for document in await self._store.list(FOLDER)]
        for entry in ordered(found, "top")[KEPT:]:
            await self._store.delete(FOLDER, entry.id)
        return ordered(found, order)[:limit]

    async def entry(self, entry_id: str) -> Entry:
        """One that may be seen. Raises BadRequest (404) and StoreUnavailable."""
        entry, _ = await self._found(entry_id, hidden=False)
        return entry

    async def vote(self, entry_id: str, browser: str, address: str) -> Entry:
        """One vote a browser and address. Raises BadRequest (404, 409), Overloaded and StoreUnavailable."""
        self._check_pace(address)
        marks = [_mark(entry_id, browser), _mark(entry_id, address)]
        for _ in range(MOST_TRIES):
            entry, version = await self._found(entry_id, hidden=False)
            voted = entry.voted(marks)
            if voted is None:
                raise BadRequest("this browser or address has voted for it already", status=409, code="voted")
            try:
                await self._store.replace(FOLDER, entry_id, voted.body(), version)
            except Conflict:
                continue
            return voted
        raise StoreUnavailable("many vote for this entry at once")

    def _check_pace(self, address: str) -> None:
        now = self._epoch()
        self._votes = {who: kept for who, at in self._votes.items() if (kept := [one for one in at if now - one < 60])}
        lately = self._votes.setdefault(address, [])
        if len(lately) >= VOTES_A_MINUTE:
            raise Overloaded("too many votes from one address", retry_after_s=60.0)
        lately.append(now)

    async def hide(self, entry_id: str) -> None:
        """An operator takes an entry out of sight. Raises BadRequest (404), Conflict and StoreUnavailable."""
        entry, version = await self._found(entry_id)
        await self._store.replace(FOLDER, entry_id, replace(entry, hidden=True).body(), version)

    async def _found(self, entry_id: str, *, hidden: bool = True) -> tuple[Entry, str]:
        """An entry and its version in the store; one that is out of sight is found only where `hidden` ones are."""
        document = await self._store.read(FOLDER, entry_id)
        entry = read_entry(document.body) if document else None
        if document is None or entry is None or (entry.hidden and not hidden):
            raise BadRequest("there is no such entry", status=404, code="not_found")
        return entry, document.version


def _video_of(pipeline: str, result: Any) -> str:
    """The key of a video that may be shown. Raises BadRequest."""
    if pipeline != "image-to-video" or not isinstance(result, dict):
        raise BadRequest("the job is no finished image-to-video", status=409, code="not_a_video")
    image = result["images"][0]
    if image["nsfw"]:
        raise BadRequest("this video is marked as not safe for work: it is yours, but not shown", code="nsfw")
    return str(image["url"]).rpartition("/")[2]


def _mark(entry_id: str, who: str) -> str:
    """Tells a voter again without saying who it is."""
    return hashlib.sha256(f"{entry_id} {who}".encode()).hexdigest()[:16]


def new_browser() -> str:
    """A name for a browser that has none yet."""
    return secrets.token_urlsafe(16)
