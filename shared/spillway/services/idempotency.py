"""A request that is sent again under its Idempotency-Key is done once: the first answer is kept for a day.

A key belongs to its caller and to one body. Whoever is first holds it by a lease that is renewed while the answer is
being made; those who come meanwhile wait. An answer that says that nothing was given (429, 5xx) is not kept: the next
one with the key tries again, as it may after a process that died, when its lease has ended.
"""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from types import TracebackType
from typing import Any

from spillway.errors import BadRequest, Conflict, StoreUnavailable
from spillway.ports import Clock
from spillway.ports.jobs import Files
from spillway.ports.store import Document, Store
from spillway.services.ending import ended

log = logging.getLogger("spillway")

FOLDER = "answers"
KEPT_S = 86400.0
LEASE_S, RENEWED_EVERY_S = 30.0, 10.0
WAIT_S, COME_BACK_S = 30.0, 5
LOOK_FIRST_S, LOOK_LAST_S = 0.1, 1.0
LARGEST_IN_DOCUMENT = 256 * 1024
LONGEST_KEY = 255
TRIES = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole reply: `headers` are those that are worth repeating."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    @property
    def final(self) -> bool:
        """Whether the same request deserves the same answer: not where it was only the wrong moment."""
        return self.status < 500 and self.status not in (408, 409, 425, 429)


class Idempotency:
    """Keys and answers. `epoch` is the clock that instances share."""

    def __init__(self, store: Store, files: Files, *, epoch: Clock, wait_s: float = WAIT_S):
        self._store, self._files, self._epoch, self._wait_s = store, files, epoch, wait_s

    async def begin(self, caller: str, key: str, fingerprint: str) -> "Claim | Answer":
        """The kept answer, or the right to make it: a claim to be entered.

        Raises BadRequest (400 for a bad key, 422 for one that was used with another body, 409 where the first is
        still at it after a while), and StoreUnavailable.
        """
        if not 0 < len(key) <= LONGEST_KEY:
            raise BadRequest(f"Idempotency-Key must have 1 to {LONGEST_KEY} characters", code="invalid_header")
        name = f"{caller} {key}"
        clock, pause_s = asyncio.get_running_loop().time, LOOK_FIRST_S
        end = clock() + self._wait_s
        while True:
            found = await self._store.read(FOLDER, name)
            if found is None or self._free(found):
                with suppress(Conflict):
                    return await self._claim(name, fingerprint, found)
                continue
            if found.body["fingerprint"] != fingerprint:
                raise _other_body()
            if found.body["answer"] is not None and (answer := await self._read(found.body["answer"])):
                return answer
            if clock() + pause_s > end:
                raise _still_running()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LOOK_LAST_S)

    def _free(self, found: Document) -> bool:
        """Whether its time is over, or whoever held it has gone without an answer."""
        now, until = self._epoch(), float(found.body["until"])
        # An end far ahead was written by a clock that is wrong: it would hold for ever.
        return not now < until <= now + KEPT_S + LEASE_S

    async def _claim(self, name: str, fingerprint: str, found: Document | None) -> "Claim":
        claim = Claim(self._store, self._files, name, fingerprint, epoch=self._epoch)
        await claim.take(found.version if found else None)
        return claim

    async def _read(self, kept: Mapping[str, Any]) -> Answer | None:
        """None where its file is gone."""
        body = await self._in_file(kept["file"]) if kept["file"] else kept["body"].encode("latin-1")
        headers = [(name, value) for name, value in kept["headers"]]
        return None if body is None else Answer(int(kept["status"]), headers, body)

    async def _in_file(self, name: str) -> bytes | None:
        content = await self._files.read(name)
        if content is None:
            return None
        with content:
            return await asyncio.to_thread(content.read)

    async def sweep(self) -> int:
        """Forget answers whose day is over; how many there were. Raises StoreUnavailable."""
        old = await self._store.unchanged(FOLDER, self._epoch() - KEPT_S)
        for document in old:
            await self._files.remove(file_of(document.key))
            await self._store.delete(FOLDER, document.key)
        # Nothing leads to the file of a process that died before it wrote the document.
        for name in await self._files.old(FOLDER, self._epoch() - 2 * KEPT_S):
            await self._files.remove(name)
        return len(old)


class Claim:
    """The right to make the answer of one key. While it is entered it is renewed; left without an answer, it ends."""

    def __init__(self, store: Store, files: Files, name: str, fingerprint: str, *, epoch: Clock):
        self._store, self._files, self._name, self._epoch = store, files, name, epoch
        self._body: dict[str, Any] = {"fingerprint": fingerprint, "holder": uuid.uuid4().hex, "answer": None}
        self._version: str | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._kept = False

    async def take(self, version: str | None) -> None:
        """Take it over this version. Raises Conflict and StoreUnavailable."""
        self._version = (await self._store.replace(FOLDER, self._name, self._until(LEASE_S), version)).version

    async def keep(self, answer: Answer) -> None:
        """Keep the answer for those who ask again; where that fails, they find none."""
        with suppress(Conflict):
            try:
                self._body["answer"] = await self._stored(answer)
                await self._write(KEPT_S)
                self._kept = True
            except StoreUnavailable as error:
                log.warning("an answer is not kept for its Idempotency-Key: %s", error)

    async def _stored(self, answer: Answer) -> dict[str, Any]:
        kept: dict[str, Any] = {"status": answer.status, "headers": list(answer.headers), "body": None, "file": None}
        if len(answer.body) <= LARGEST_IN_DOCUMENT:
            return {**kept, "body": answer.body.decode("latin-1")}
        await self._files.write(file_of(self._name), BytesIO(answer.body))
        return {**kept, "file": file_of(self._name)}

    async def __aenter__(self) -> None:
        self._renewing = asyncio.get_running_loop().create_task(self._renew())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await ended(self._renewing)
        if not self._kept:
            self._body["answer"] = None
            with suppress(Conflict, StoreUnavailable):
                await self._write(-LEASE_S)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY_S)
            try:
                await self._write(LEASE_S)
            except StoreUnavailable as error:
                log.info("the lease of an Idempotency-Key is not renewed just now: %s", error)
            except Conflict:
                return

    async def _write(self, lasts_s: float) -> None:
        """Write over what this claim has written last. Raises Conflict where it is another's by now."""
        for _ in range(TRIES):
            try:
                kept = await self._store.replace(FOLDER, self._name, self._until(lasts_s), self._version)
            except Conflict:
                # A write of ours that got no answer may have been made.
                found = await self._store.read(FOLDER, self._name)
                if found is None or found.body["holder"] != self._body["holder"]:
                    raise
                self._version = found.version
            else:
                self._version = kept.version
                return
        raise Conflict("the claim changes all the time")

    def _until(self, lasts_s: float) -> dict[str, Any]:
        return {**self._body, "until": self._epoch() + lasts_s}


def file_of(name: str) -> str:
    """Where an answer lies that is too large for a document."""
    return f"{FOLDER}/{sha256(name.encode()).hexdigest()}"


def _other_body() -> BadRequest:
    return BadRequest(
        "this Idempotency-Key was used with another request: take a new key for a new request",
        status=422,
        code="idempotency_key_reused",
    )


def _still_running() -> BadRequest:
    error = BadRequest(
        "the first request with this Idempotency-Key is still running: ask again",
        status=409,
        code="idempotency_key_in_use",
    )
    error.headers = {"retry-after": str(COME_BACK_S)}
    return error
