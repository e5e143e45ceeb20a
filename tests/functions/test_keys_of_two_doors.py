"""Keys, as people make and use them: the command line, and two front doors in processes of their own over one state."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from simulator import OpenAiApi, SubnetGateway, background
from spillway.domain.rates import HOLD_S
from support.front_door import command, hosted_routes
from support.processes import told
from support.waiting import until

PICTURE = {"prompt": "a cat"}
HOSTED = {"x-spillway-prefer": "fallback-only"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    directory = tmp_path_factory.mktemp("keys")
    subnet, hosted = SubnetGateway(slots=64, time_scale=0.001), OpenAiApi(service_s=0.001)
    with background(subnet, hosted):
        yield {
            "SPILLWAY_AUTH": "keys",
            "SPILLWAY_STATE": f"sqlite:///{directory}/state.db",
            "SPILLWAY_ARTIFACTS": f"file://{directory}/artifacts",
            "SPILLWAY_SUBNET_URL": subnet.url,
            "SPILLWAY_ROUTES": hosted_routes(directory, hosted.url),
        }


@pytest.fixture(scope="module")
def doors(settings: dict[str, str]) -> Iterator[list[httpx.Client]]:
    """Two front doors that share what they know."""
    with (
        command(**settings) as one,
        command(**settings) as two,
        httpx.Client(base_url=one, timeout=30) as first,
        httpx.Client(base_url=two, timeout=30) as second,
    ):
        yield [first, second]


def keys(settings: dict[str, str], *args: str) -> Any:
    """What `spillway keys` prints as JSON."""
    return told("keys", *args, **settings)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def ask(door: httpx.Client, key: str, **headers: str) -> httpx.Response:
    return door.post("/text-to-image", json=PICTURE, headers={**bearer(key), **headers})


def test_a_new_key_works_on_every_instance_at_once(settings: dict[str, str], doors: list[httpx.Client]) -> None:
    for door in doors:
        made = keys(settings, "create", "--name", "gif")
        assert ask(door, made["key"]).status_code == 200


def test_a_revoked_key_is_refused_everywhere_within_ten_seconds(
    settings: dict[str, str], doors: list[httpx.Client]
) -> None:
    made = keys(settings, "create")
    assert [ask(door, made["key"]).status_code for door in doors] == [200, 200]
    keys(settings, "revoke", made["id"])
    until(lambda: all(ask(door, made["key"]).status_code == 401 for door in doors), within_s=10.0)


def test_a_keys_other_terms_hold_everywhere_within_ten_seconds(
    settings: dict[str, str], doors: list[httpx.Client]
) -> None:
    made = keys(settings, "create")
    assert [ask(door, made["key"]).status_code for door in doors] == [200, 200]
    keys(settings, "change", made["id"], "--scope", "read", "--rate", "5")
    until(lambda: all(ask(door, made["key"]).status_code == 403 for door in doors), within_s=10.0)


def test_a_replaced_secret_works_on_and_the_key_stays_the_same(
    settings: dict[str, str], doors: list[httpx.Client]
) -> None:
    made = keys(settings, "create")
    rotated = keys(settings, "rotate", made["id"], "--grace", "1h")
    assert rotated["id"] == made["id"]
    assert [ask(doors[0], key).status_code for key in (made["key"], rotated["key"])] == [200, 200]


def test_the_log_tells_who_did_what(settings: dict[str, str], doors: list[httpx.Client]) -> None:
    made = keys(settings, "create", "--name", "logged")
    ask(doors[0], made["key"])
    keys(settings, "revoke", made["key"])
    told = [event for event in keys(settings, "log")["events"] if event["id"] == made["id"]]
    assert {event["what"] for event in told} >= {"created", "revoked"}
    [listed] = [key for key in keys(settings, "list")["keys"] if key["id"] == made["id"]]
    assert (listed["name"], listed["status"]) == ("logged", "revoked")
    assert made["key"] not in json.dumps(listed)


def test_a_rate_holds_over_both_within_its_bound(settings: dict[str, str], doors: list[httpx.Client]) -> None:
    rate, burst, seconds = 4.0, 6, 4.0
    key = keys(settings, "create", "--rate", str(rate), "--burst", str(burst))["key"]
    answers: list[httpx.Response] = []

    def flood(door: httpx.Client) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answers.append(ask(door, key))
            time.sleep(0.02)

    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        list(pool.map(flood, [*doors, *doors]))
    took_s = time.monotonic() - began
    served = sum(answer.status_code == 200 for answer in answers)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert served + len(refused) == len(answers)
    assert rate * seconds - 2 <= served <= burst + rate * (took_s + HOLD_S) + len(doors)
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}


def test_a_keys_money_holds_over_both_and_the_subnet_goes_on_without_it(
    settings: dict[str, str], doors: list[httpx.Client]
) -> None:
    poor, rich = keys(settings, "create", "--usd-per-day", "0.4")["key"], keys(settings, "create")["key"]
    answers = [ask(doors[place % 2], poor, **HOSTED) for place in range(16)]
    served = sum(answer.status_code == 200 for answer in answers)
    assert 8 <= served <= 10
    last = ask(doors[0], poor, **HOSTED)
    assert (last.status_code, int(last.headers["retry-after"]) > 0) == (429, True)
    assert "of all, or of this key" in last.json()["error"]["message"]
    assert ask(doors[0], poor).headers["x-spillway-served-by"] == "subnet"
    assert ask(doors[0], rich, **HOSTED).headers["x-spillway-served-by"] == "hosted"
