"""What is put together only when it is asked for is refused when the front door starts all the same."""

from pathlib import Path

import pytest

from spillway.assembly.gateway import front_door, function_door
from spillway.errors import BadSettings
from spillway.settings import Settings, load_settings


@pytest.mark.parametrize("queue", ["pubsub://", "pubsub://project/topic/more"])
def test_a_queue_that_names_no_topic_stops_the_start(queue: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="SPILLWAY_QUEUE: must be pubsub://PROJECT"):
        front_door(Settings(auth="none", queue=queue, state=f"sqlite:///{tmp_path}/state.db"))


def test_a_queue_of_this_process_stops_the_start_in_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SERVICE", "gateway")
    with pytest.raises(BadSettings, match="SPILLWAY_QUEUE: local:// reaches no worker"):
        function_door(Settings(auth="none", state="firestore://project"))


def test_a_state_of_one_machine_stops_the_start_in_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SERVICE", "gateway")
    with pytest.raises(BadSettings, match="SPILLWAY_STATE: sqlite:// is of one machine"):
        function_door(Settings(auth="none", queue="pubsub://project"))


def test_a_webhook_secret_that_is_none_stops_the_start() -> None:
    with pytest.raises(BadSettings, match="SPILLWAY_REPLICATE_WEBHOOK_SECRET: must be whsec_ and a key in Base64"):
        load_settings(replicate_webhook_secret="whsec_")
