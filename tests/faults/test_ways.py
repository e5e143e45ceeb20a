"""A deployment whose always-warm model is cheaper is left alone: front doors follow what the balancer has found out."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from faults.house import TOKEN
from simulator import ReplicateApi
from simulator.catalogue import Deployment
from spillway.adapters.sqlite_store import SqliteStore
from spillway.settings import Settings
from support.front_door import running
from support.waiting import eventually

DEPLOYMENT, MODEL = "acme/mine", "black-forest-labs/flux-schnell"
PLACE = f"replicate {DEPLOYMENT}"
ROUTES = f"""
[[routes]]
pipeline = "text-to-image"
[[routes.fallbacks]]
provider = "replicate"
model = "{MODEL}"
deployment = "{DEPLOYMENT}"
input = {{ prompt = "{{prompt}}" }}
"""


@dataclass
class Door:
    """A front door without a subnet, the balancer's hand in its store, and the provider behind it."""

    url: str
    store: SqliteStore
    api: ReplicateApi
    client: httpx.AsyncClient

    async def told(self, way: str) -> None:
        """The balancer publishes how the deployment is used."""
        place = {"way": way, "way_why": "it is cheaper", "least": 0, "why": ""}
        body = {"version": 1, "at": time.time(), "routes": {}, "places": {PLACE: place}}
        await self.store.write("balancer", "targets", body)

    async def asked(self) -> str:
        """A picture is asked for: the path at the provider that its prediction went to."""
        answer = await self.client.post(f"{self.url}/text-to-image", json={"prompt": "a river"}, timeout=30)
        assert answer.status_code == 200
        return [call.path for call in self.api.requests if call.method == "POST"][-1]

    async def until(self, path: str) -> None:
        """Ask until predictions go there."""

        async def there() -> bool:
            return await self.asked() == path

        await eventually(there, within_s=5.0)


@asynccontextmanager
async def door(folder: Path) -> AsyncIterator[Door]:
    routes, state = folder / "routes.toml", folder / "state.db"
    routes.write_text(ROUTES)
    api = ReplicateApi(TOKEN, service_s=0.05, deployments={DEPLOYMENT: Deployment(MODEL, 1, 4)})
    store = SqliteStore(state)
    async with api.serve(), httpx.AsyncClient() as client:
        settings = Settings(
            state=f"sqlite:///{state}",
            routes=routes,
            artifacts=f"file://{folder / 'artifacts'}",
            verify="none",
            replicate_api_token=TOKEN,
            replicate_url=api.url,
        )
        async with running(settings) as url:
            yield Door(url, store, api, client)
        await store.close()


async def test_jobs_go_to_the_always_warm_model_while_that_is_cheaper(tmp_path: Path) -> None:
    by_deployment, by_model = f"/v1/deployments/{DEPLOYMENT}/predictions", f"/v1/models/{MODEL}/predictions"
    async with door(tmp_path) as there:
        assert await there.asked() == by_deployment
        await there.told("model")
        await there.until(by_model)
        policy = (await there.client.get(f"{there.url}/api/policy")).json()
        assert policy["balancer"]["places"][PLACE]["way"] == "model"
        await there.told("deployment")
        await there.until(by_deployment)


async def test_jobs_by_the_model_still_count_for_their_deployment(tmp_path: Path) -> None:
    async with door(tmp_path) as there:
        await there.told("model")
        await there.asked()
        await there.until(f"/v1/models/{MODEL}/predictions")
    tallies = [one.body for one in await SqliteStore(tmp_path / "state.db").list("tallies")]
    assert [list(tally["hosted"]) for tally in tallies] == [[PLACE]]
