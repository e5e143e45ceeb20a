"""Keeps results: fetches what an answer points at, checks that it is whole, and gives it a lasting address."""

import asyncio
from copy import deepcopy
from typing import Any

from spillway.domain.answers import media
from spillway.domain.pipelines import Pipeline
from spillway.errors import BrokenAnswer, MediaBroken
from spillway.ports import Artifacts, Inspector, Media, Result

KEEP_TIMEOUT_S = 20.0
TRIES, PAUSE_S = 3, 1.0


class Keeper:
    """With `verify`, the subnet's media are fetched, decoded and kept, else passed on where they are.

    A hosted provider deletes its results after an hour, so those are always kept.
    """

    def __init__(self, fetcher: Media, inspector: Inspector, artifacts: Artifacts, *, verify: bool):
        self._fetcher = fetcher
        self._inspector = inspector
        self._artifacts = artifacts
        self._verify = verify

    async def keep(self, result: Result, pipeline: Pipeline, *, public_url: str, hosted: bool, left_s: float) -> None:
        """Replace the URLs of an answer's media by our own. Raises BrokenAnswer where one is not whole."""
        items = list(media(result.body, pipeline))
        if not items or not (hosted or self._verify):
            return
        try:
            async with asyncio.timeout(min(left_s, KEEP_TIMEOUT_S)), asyncio.TaskGroup() as group:
                for item in items:
                    group.create_task(self._keep(item, pipeline, public_url))
        except TimeoutError as late:
            raise BrokenAnswer("its media could not be fetched in time") from late
        except ExceptionGroup as several:
            first = several.exceptions[0]
            raise (BrokenAnswer(str(first)) if isinstance(first, MediaBroken) else first) from several

    async def insist(self, result: Result, pipeline: Pipeline, *, public_url: str) -> None:
        """Keep what a hosted provider was paid for and still has for an hour: a fetch that failed is made again."""
        body = result.body
        for tries_left in reversed(range(TRIES)):
            result.body = deepcopy(body)
            try:
                await self.keep(result, pipeline, public_url=public_url, hosted=True, left_s=KEEP_TIMEOUT_S)
            except BrokenAnswer:
                if not tries_left:
                    raise
                await asyncio.sleep(PAUSE_S)
            else:
                return

    async def _keep(self, item: dict[str, Any], pipeline: Pipeline, public_url: str) -> None:
        content = await self._fetcher.fetch(item["url"], timeout_s=KEEP_TIMEOUT_S)
        try:
            content_type = await self._inspector.inspect(content, pipeline.gives)
            artifact = await self._artifacts.put(content, content_type)
        finally:
            content.close()
        item["url"] = f"{public_url}/artifacts/{artifact.key}"
