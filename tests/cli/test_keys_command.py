"""`spillway keys`, as an operator types it."""

import json
import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from spillway.cli.main import app
from spillway.errors import BadSettings
from support.processes import spillway


@pytest.fixture
def state(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state.db"


def run(state: str, *args: str) -> Result:
    """One command, in this process."""
    return CliRunner().invoke(app, ["keys", *args], env={"SPILLWAY_STATE": state, "COLUMNS": "200"})


def test_a_key_is_shown_when_it_is_made_and_never_again(state: str) -> None:
    made = run(state, "create", "--name", "GIF", "--origin", "https://gif.example", "--rate", "2", "--usd-per-day", "1")
    [key] = re.findall(r"sw_[0-9a-z]{12}_[0-9A-Za-z]{49}", made.stdout)
    assert "whsec_" in made.stdout
    listed, logged = run(state, "list").stdout, run(state, "log").stdout
    assert key[3:15] in listed
    assert "2/s, 2 at once; $1/day" in listed
    assert "GIF: created, by " in logged
    for shown in (listed, logged, run(state, "list", "--json").stdout):
        assert key not in shown
        assert "whsec_" not in shown


def test_a_name_is_shown_as_it_is(state: str) -> None:
    run(state, "create", "--name", "[/b] gif [beta] :smile:")
    assert "[/b] gif [beta] :smile:" in run(state, "list").stdout


def test_what_programs_are_told_is_json(state: str) -> None:
    made = json.loads(run(state, "create", "--scope", "read", "--priority", "-1", "--json").stdout)
    assert made.pop("key").startswith(f"sw_{made['id']}_")
    assert made.pop("webhook_secret").startswith("whsec_")
    assert (made["scopes"], made["priority"], made["status"]) == (["read"], -1, "active")
    assert json.loads(run(state, "list", "--json").stdout) == {"keys": [made]}
    revoked = json.loads(run(state, "revoke", made["id"], "--json").stdout)
    assert (revoked["id"], revoked["status"]) == (made["id"], "revoked")


def test_a_rotation_replaces_the_webhook_secret_only_where_that_is_asked_for(state: str) -> None:
    made = json.loads(run(state, "create", "--json").stdout)
    rotated = json.loads(run(state, "rotate", made["id"], "--grace", "1h", "--json").stdout)
    assert (rotated["id"], rotated["webhook_secret"]) == (made["id"], made["webhook_secret"])
    assert rotated["key"] != made["key"]
    assert len(rotated["old_secrets_until"]) == 1
    again = json.loads(run(state, "rotate", made["id"], "--webhook-secret", "--json").stdout)
    assert again["webhook_secret"] != made["webhook_secret"]


def test_other_terms_take_the_place_of_those_that_are_named_and_the_log_tells_both(state: str) -> None:
    made = json.loads(run(state, "create", "--name", "GIF", "--rate", "5", "--usd-per-day", "3", "--json").stdout)
    changed = json.loads(run(state, "change", made["id"], "--usd-per-day", "1", "--without", "rate", "--json").stdout)
    assert (changed["usd_per_day"], changed["rate"], changed["scopes"]) == (1.0, None, made["scopes"])
    assert json.loads(run(state, "list", "--json").stdout) == {"keys": [changed]}
    [event, _] = json.loads(run(state, "log", "--json").stdout)["events"]
    assert event["what"] == "changed: rate 5/s, 5 at once -> none, usd_per_day 3 -> 1"
    assert run(state, "change", made["id"], "--usd-per-day", "1").exit_code == 0
    assert len(json.loads(run(state, "log", "--json").stdout)["events"]) == 2


def test_a_line_of_the_log_is_one_line_whatever_the_operators_machine_says(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "eve\n2026-11-27T00:00:00Z  sw  GIF: revoked, by alice")
    run(state, "create", "--name", "GIF")
    [line] = run(state, "log").stdout.splitlines()
    assert "GIF: created, by eve?2026" in line


@pytest.mark.parametrize("order", [["rotate"], ["change", "--rate", "1"]])
def test_a_revoked_key_is_given_nothing_more(state: str, order: list[str]) -> None:
    made = json.loads(run(state, "create", "--json").stdout)
    run(state, "revoke", made["key"])
    refused = run(state, *order, made["id"]).exception
    assert isinstance(refused, BadSettings)
    assert str(refused) == f"the key {made['id']} is revoked: create a new one"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["create", "--scope", "all"], "--scope all: use inference, "),
        (["create", "--origin", "*"], "--origin *: must be the origin of a web page"),
        (["create", "--burst", "5"], "--burst 5: must be between 1 and 100000, beside --rate"),
        (["create", "--priority", "99"], "--priority 99: must be between -10 and 10"),
        (["rotate", "x", "--grace", "soon"], "--grace soon: must be a number and one of s, m, h, d"),
        (["change", "x", "--without", "name"], "--without name: use rate, usd-per-day, origin"),
        (["revoke", "nobody"], "there is no key nobody: see `spillway keys list`"),
    ],
)
def test_a_mistake_says_what_to_change(state: str, args: list[str], says: str) -> None:
    refused = run(state, *args).exception
    assert isinstance(refused, BadSettings)
    assert str(refused).startswith(says)


def test_a_mistake_ends_the_command_with_one_line() -> None:
    ran = spillway("keys", "create", SPILLWAY_STATE="memory://")
    assert (ran.returncode, ran.stderr) == (
        2,
        "spillway: SPILLWAY_STATE: memory:// would forget the key at once; set what the front door uses\n",
    )
