"""`spillway demo`, as a person runs it."""

import json

from support.processes import spillway


def test_day_is_played_and_nobody_is_left_without_an_answer() -> None:
    ran = spillway("demo", "--seconds", "12", "--port", "0", "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert {name: one["requests"] for name, one in told["pipelines"].items()} == {
        "text-to-image": 192,
        "image-to-video": 119,
    }
    for one in told["pipelines"].values():
        assert one["subnet"] + one["fallback"] == one["requests"]
        assert one["failed"] == 0
        assert one["subnet"] > one["fallback"]
    assert "Unclosed" not in ran.stderr
    assert [one["jobs"] for one in told["pipelines"].values()] == [0, 119]
    assert told["pipelines"]["image-to-video"]["eta_error_p50"] > 0
    assert told["gifs"] == 15
    assert told["redemptions"]["count"] > 0


def test_every_command_has_help() -> None:
    for command in ([], ["serve"], ["demo"]):
        assert "Usage" in spillway(*command, "--help").stdout


def test_public_bind_without_keys_is_refused_in_one_line() -> None:
    ran = spillway("serve", "--host", "0.0.0.0")
    assert ran.returncode == 2
    assert ran.stderr == (
        "spillway: --host 0.0.0.0 can be reached by others: set SPILLWAY_AUTH=keys, or bind to 127.0.0.1\n"
    )
