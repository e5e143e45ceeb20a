"""The CLI port of a go-livepeer gateway, as far as it tells of orchestrators and of its deposit."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import web

from simulator.faults import TRANSPORT, Fault, Kind
from simulator.reply import send
from simulator.server import Simulator, fault_of

NUMBERS = {"text-to-image": 27, "image-to-image": 28, "image-to-video": 29, "upscale": 30, "audio-to-text": 31,
           "segment-anything-2": 32, "llm": 33, "image-to-text": 34, "text-to-speech": 36}  # fmt: skip


class GatewayCliApi(Simulator):
    """`slots` by orchestrator (host:port) is what each offers of the one pipeline and model; change it at any time."""

    name: ClassVar[str] = "gateway_cli"

    def __init__(
        self,
        slots: Mapping[str, int] | None = None,
        *,
        pipeline: str = "text-to-image",
        model: str = "stabilityai/sdxl-turbo",
        time_scale: float = 1.0,
        seed: int = 0,
        faults: Iterable[Fault] = (),
    ) -> None:
        """Nothing listens yet."""
        super().__init__(time_scale=time_scale, seed=seed, faults=faults)
        self.slots = dict(slots or {})
        self.suspended: dict[str, int] = {}
        self.in_use = 0
        self.refreshes = 0
        self.tickets, self.value_gwei, self.jobs, self.price_wei = 0, 0.0, 0, 0.0
        self.deposit_wei, self.reserve_wei, self.withdraw_round = 10**18, 10**17, 0
        self.pipeline, self.model = pipeline, model

    def routes(self) -> Iterable[web.RouteDef]:
        """The endpoints."""
        return [
            web.get("/getNetworkCapabilities", self._capabilities),
            web.get("/getAISessionPoolsInfo", self._sessions),
            web.get("/senderInfo", self._sender),
            web.get("/metrics", self._metrics),
        ]

    def kinds(self, request: web.Request) -> frozenset[Kind]:
        """Faults of the wire."""
        return TRANSPORT

    async def _sender(self, request: web.Request) -> web.StreamResponse:
        """Big integers are JSON numbers, as Go writes them."""
        shown = {
            "Deposit": self.deposit_wei,
            "WithdrawRound": self.withdraw_round,
            "Reserve": {"FundsRemaining": self.reserve_wei, "ClaimedInCurrentRound": 0},
        }
        return await send(request, shown, fault_of(request))

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        """As -monitor exposes them; what was never counted is not there."""
        node, route = 'node_id="n",node_type="gw"', f'pipeline="{self.pipeline}",model_name="{self.model}"'
        lines = [
            "# HELP livepeer_ai_models_requested Number of AI models requested",
            "# TYPE livepeer_ai_models_requested counter",
            f"livepeer_ai_models_requested{{{node},{route}}} {self.jobs}",
            "# TYPE livepeer_ai_request_price gauge",
            f"livepeer_ai_request_price{{{node},{route}}} {self.price_wei}",
            "# TYPE livepeer_tickets_sent counter",
            f"livepeer_tickets_sent{{{node}}} {self.tickets}",
            "# TYPE livepeer_ticket_value_sent counter",
            f"livepeer_ticket_value_sent{{{node}}} {self.value_gwei}",
            "",
        ]
        return await send(request, "\n".join(lines).encode(), fault_of(request), content_type="text/plain")

    async def _capabilities(self, request: web.Request) -> web.StreamResponse:
        shown = {
            "capabilities_names": {"27": "Text to image"},
            "orchestrators": [self._orchestrator(address, slots) for address, slots in self.slots.items()] or None,
        }
        return await send(request, shown, fault_of(request))

    def _orchestrator(self, address: str, slots: int) -> dict[str, Any]:
        offer = {"warm": True, "runnerVersion": "0.14.1", **({"capacity": slots} if slots else {})}
        constraints = {
            "minVersion": "",
            "PerCapability": {str(NUMBERS[self.pipeline]): {"models": {self.model: offer}}},
        }
        return {
            "address": "0x" + "00" * 20,
            "local_address": "",
            "orch_uri": f"https://{address}",
            "capabilities": {"bitstring": [1], "capacities": {"27": 1}, "constraints": constraints},
            "price_info": None,
            "capabilities_prices": None,
            "hardware": None,
        }

    async def _sessions(self, request: web.Request) -> web.StreamResponse:
        known = [{"url": f"https://{address}", "latency_score": 0.0, "in_flight": 0} for address in self.slots]
        pools = {
            "cold": {"size": 0, "in_use": 0, "orchestrators": None},
            "warm": {"size": len(known), "in_use": self.in_use, "orchestrators": known or None},
            "last_refresh": datetime.now(UTC).isoformat(),
            "suspended": {
                "list": {f"https://{address}": until for address, until in self.suspended.items()},
                "current_count": self.refreshes,
            },
        }
        key = f"{NUMBERS[self.pipeline]}_{self.model}"
        return await send(request, {key: pools} if known else {}, fault_of(request))
