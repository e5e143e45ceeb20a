"""`spillway policy show`, as a person reads it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from spillway.adapters.sqlite_store import SqliteStore
from support.processes import spillway

GATE = {
    "version": 1,
    "at": 0.0,
    "slots": [0.0, 0.0, 0.5, 0.5],
    "job_s": [3.96, 7.0],
    "refusal_s": 2.0,
    "up": True,
    "reasons": {"room": 3, "full": 1},
    "changes": [{"cause": "refused", "up": True, "limit": 2, "seconds_ago": 7}],
}
TOLD = {
    "version": 1,
    "at": 1.0,
    "routes": {"text-to-image *": {"target": 0.05, "why": "3% of 60 tries succeeded"}, "odd": 7},
    "places": {
        "replicate acme/mine": {"way": "model", "way_why": "a job costs less there", "least": 0, "why": "none pays"},
        "replicate acme/own": {"way": "deployment", "way_why": "it is not warm", "least": 2, "why": "2 pay"},
    },
}


def shown(state: Path, *options: str) -> str:
    ran = spillway("policy", "show", *options, SPILLWAY_STATE=f"sqlite:///{state}")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def kept(state: Path, *documents: tuple[str, str, dict[str, Any]]) -> None:
    async def written() -> None:
        store = SqliteStore(state)
        for folder, key, body in documents:
            await store.write(folder, key, body)
        await store.close()

    asyncio.run(written())


def test_it_says_what_each_instance_believes_and_why_and_what_the_balancer_has_found_out(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    kept(
        state,
        ("policies", "0123456789abcdef", {"version": 1, "gates": {"text-to-image stabilityai/sdxl-turbo": GATE}}),
        ("overrides", "text-to-image", {"mode": "auto", "max_share": 0.5}),
        ("balancer", "targets", TOLD),
    )
    said = " ".join(shown(state).split())
    for words in (
        "text-to-image stabilityai/sdxl-turbo",
        "01234567 up 2.5 4.0 s 2.0 s room 75%, full 25%",
        "to 2 slots by refused, 7 s before",
        "Order: text-to-image: mode auto, at most 50% subnet.",
        "Balancer: text-to-image *: the subnet has earned 5%, as 3% of 60 tries succeeded.",
        "Balancer: replicate acme/mine: used by its model, 0 kept warm: a job costs less there.",
        "Balancer: replicate acme/own: used by its deployment, 2 kept warm: 2 pay.",
    ):
        assert words in said
    told = json.loads(shown(state, "--json"))
    assert told["balancer"]["routes"] == TOLD["routes"]
    assert set(told) == {"orders", "routes", "balancer"}


def test_an_order_is_shown_as_the_last_change(tmp_path: Path) -> None:
    order = {"cause": "ordered", "order": {"mode": "auto", "max_share": 0.5}, "up": True, "limit": 2, "seconds_ago": 3}
    kept(tmp_path / "state.db", ("policies", "a", {"version": 1, "gates": {"llm any": {**GATE, "changes": [order]}}}))
    assert "ordered auto, at most 50%, 3 s before" in " ".join(shown(tmp_path / "state.db").split())


@pytest.mark.parametrize(
    "junk",
    [
        {"changes": 7, "reasons": [1]},
        {"changes": [{}, 7, {"cause": "room"}], "reasons": {"room": "often", "full": None}},
        {"changes": [{"cause": 1, "order": {}, "up": 1, "limit": "", "seconds_ago": {}}]},
        {"up": [], "slots": ["0", "1"]},
        {"job_s": ["4", "5"], "refusal_s": "2"},
    ],
)
def test_a_report_that_makes_no_sense_is_shown_as_far_as_it_does(tmp_path: Path, junk: dict[str, Any]) -> None:
    kept(tmp_path / "state.db", ("policies", "a", {"version": 1, "gates": {"llm any": {**GATE, **junk}}}))
    assert "llm any" in shown(tmp_path / "state.db")


@pytest.mark.parametrize(
    ("order", "state", "says"),
    [
        (["--mode", "subnet-only", "--max-share", "0.5"], "sqlite:///state.db", "--max-share 0.5"),
        (["--mode", "off"], "memory://", "SPILLWAY_STATE: memory:// is each process's own"),
    ],
)
def test_an_order_that_nobody_could_follow_is_one_line(order: list[str], state: str, says: str) -> None:
    ran = spillway("policy", "set", "--route", "all", *order, SPILLWAY_STATE=state)
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (2, "", 1)
    assert says in ran.stderr


def test_before_anybody_came_it_says_so(tmp_path: Path) -> None:
    assert shown(tmp_path / "state.db") == "No instance has reported yet.\n"
