"""As the day's money ends, callers are refused in the order of their keys' priorities, and told until when."""

import time
from collections import Counter
from pathlib import Path

import httpx

from simulator import OpenAiApi, background
from spillway.assembly.state import open_store
from spillway.domain.budget import DAY_S, SKEW_S
from spillway.domain.key_terms import checked_scopes
from spillway.domain.keys import Key
from spillway.services.keys import Keys
from spillway.settings import Settings
from support.front_door import hosted_routes, running

PRICE_USD, JOBS = 0.04, 100


async def test_lower_priorities_are_refused_first_and_all_are_told_until_when(tmp_path: Path) -> None:
    hosted = OpenAiApi(service_s=0.0)
    with background(hosted):
        settings = Settings(
            auth="keys",
            state=f"sqlite:///{tmp_path}/state.db",
            artifacts=f"file://{tmp_path}/artifacts",
            routes=hosted_routes(tmp_path, hosted.url),
            fallback_usd_per_day=PRICE_USD * JOBS,
        )
        store = open_store(settings)
        keys = Keys(store, epoch=time.time, by="me")
        tokens = {
            priority: (await keys.create(Key(id="", scopes=checked_scopes(()), priority=priority))).token
            for priority in (-1, 0, 1)
        }
        served: Counter[int] = Counter()
        async with running(settings) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
            for priority, token in tokens.items():
                bearer = {"authorization": f"Bearer {token}"}
                while (answer := await client.post("/text-to-image", json={"prompt": "a"}, headers=bearer)).is_success:
                    served[priority] += 1
                assert answer.status_code == 429
                until_midnight_s = DAY_S - time.time() % DAY_S
                assert abs(int(answer.headers["retry-after"]) - until_midnight_s) <= 60 + SKEW_S
        await store.close()
    # The last twentieth is not for those below the usual, the last fiftieth for the highest alone.
    assert served == {-1: JOBS - 5, 0: 3, 1: 2}
    assert len([call for call in hosted.requests if call.path.endswith("/images/generations")]) == JOBS
