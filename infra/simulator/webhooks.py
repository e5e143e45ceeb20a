"""Replicate's webhooks: signed as its documentation says, sent again until somebody answers 2xx."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass, field
from random import Random

import aiohttp

from simulator.clock import Clock

WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt, and the status that came back (None: no answer)."""

    url: str
    message_id: str
    event: str
    status: int | None


def signing_key(random: Random) -> str:
    """A key as `GET /v1/webhooks/default/secret` gives it."""
    return "whsec_" + base64.b64encode(random.randbytes(24)).decode()


def signed_headers(key: str, message_id: str, body: bytes, timestamp: int) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    secret = base64.b64decode(key.removeprefix("whsec_"))
    content = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}


@dataclass(slots=True)
class Webhooks:
    """Sends them; `deliveries` remembers every attempt."""

    clock: Clock
    key: str
    deliveries: list[Delivery] = field(default_factory=list)
    _session: aiohttp.ClientSession | None = None

    async def send(self, url: str, message_id: str, event: str, body: bytes) -> None:
        """Deliver one message; the last event is worth repeating, the others aren't."""
        for wait_s in (0.0, *(WAITS_S if event == "completed" else ())):
            await self.clock.sleep(wait_s)
            status = await self._post(url, message_id, body)
            self.deliveries.append(Delivery(url, message_id, event, status))
            if status is not None and 200 <= status < 300:
                return

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
        self._session = None

    async def _post(self, url: str, message_id: str, body: bytes) -> int | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        headers = {**signed_headers(self.key, message_id, body, int(time.time())), "Content-Type": "application/json"}
        try:
            async with self._session.post(url, data=body, headers=headers) as response:
                return response.status
        except (TimeoutError, aiohttp.ClientError, ValueError):
            return None
