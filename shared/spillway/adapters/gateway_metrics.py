"""The metrics of a go-livepeer gateway (`-monitor`), as far as they tell of tickets and jobs.

Amounts are in gwei. Names are those of go-livepeer's monitor/census.go.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from spillway.adapters.http import HttpPool, headers, read_bounded, translated
from spillway.domain.ticket_counts import Counters
from spillway.errors import BrokenAnswer, Overflow

BACKEND = "the gateway's metrics"
TRY_S = 5.0
LARGEST = 16 * 1024 * 1024
GWEI = 1e9


class GatewayMetrics:
    """Adapter of ports.deposits.TicketCounters over the metrics' URL."""

    def __init__(self, pool: HttpPool, url: str, *, try_s: float = TRY_S):
        self._pool, self._try_s = pool, try_s
        self._url = url if urlsplit(url).path else f"{url}/metrics"

    async def counters(self) -> Counters:
        """One look. Raises Overflow where they can't be had, or don't speak of tickets."""
        with translated(BACKEND):
            async with asyncio.timeout(self._try_s):
                text = await self._text()
        try:
            samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        except ValueError as error:
            raise BrokenAnswer(f"{BACKEND} are none of Prometheus") from error
        return _counters(samples)

    async def _text(self) -> str:
        response = await self._pool.send("GET", self._url, headers=headers())
        try:
            if response.status_code != 200:
                raise Overflow(f"{BACKEND} can't be read ({response.status_code})")
            return (await read_bounded(response, LARGEST, BACKEND)).decode(errors="replace")
        finally:
            await response.aclose()


def _counters(samples: Iterable[Sample]) -> Counters:
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name.removeprefix("livepeer_").removesuffix("_total"), []).append(sample)
    if "tickets_sent" not in by_name and "ai_models_requested" not in by_name:
        raise BrokenAnswer(f"{BACKEND} don't speak of tickets or jobs: is this the gateway, with -monitor?")

    def total(name: str) -> float:
        return sum(sample.value for sample in by_name.get(name, []))

    return Counters(
        tickets=total("tickets_sent"),
        value_wei=total("ticket_value_sent") * GWEI,
        jobs=_by_route(by_name.get("ai_models_requested", []), sum),
        prices=_by_route(by_name.get("ai_request_price", []), max),
    )


def _by_route(samples: Iterable[Sample], of: Callable[[list[float]], float]) -> Mapping[str, float]:
    values: dict[str, list[float]] = {}
    for sample in samples:
        name = f"{sample.labels.get('pipeline', '')} {sample.labels.get('model_name', '')}"
        values.setdefault(name, []).append(sample.value)
    return {name: of(given) for name, given in values.items()}
