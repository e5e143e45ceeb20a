"""The first boot of a burst machine."""

import json
import shlex
import subprocess

import pytest
from pydantic import SecretStr

from spillway.domain.burst import BurstTerms
from spillway.domain.cloud_init import (
    START,
    Orchestrator,
    Secrets,
    ai_models,
    cloud_config,
    cloud_init,
)

MODEL = "ByteDance/SDXL-Lightning"
SECRETS = Secrets(SecretStr("orch-s3cret"), SecretStr("eth-s3cret"), SecretStr('{"crypto": "s3cret"}'))
ON_CHAIN = Orchestrator(
    network="arbitrum-one-mainnet",
    eth_url="https://rpc.example",
    eth_account="0xaa",
    eth_orchestrator="0xbb",
    price_per_unit=4768371,
)


def files(own: Orchestrator, *, pipeline: str = "text-to-image", slots: int = 1, model: str = MODEL) -> dict[str, str]:
    document = cloud_init(own, pipeline, model, slots=slots, lifetime_s=7200.0, secrets=SECRETS)
    return {file["path"]: file["content"] for file in document["write_files"]}


def command(own: Orchestrator, **more: object) -> list[str]:
    """The words of the line that starts the orchestrator."""
    return shlex.split(files(own, **more)[START].splitlines()[-1])  # type: ignore[arg-type]


def test_ai_models_are_in_go_livepeers_form() -> None:
    assert json.loads(files(ON_CHAIN)["/etc/spillway/aiModels.json"]) == [
        {
            "pipeline": "text-to-image",
            "model_id": MODEL,
            "warm": True,
            "price_per_unit": 4768371,
            "pixels_per_unit": 1,
        }
    ]


def test_slots_are_runner_containers() -> None:
    assert ai_models(Orchestrator(), "text-to-image", MODEL, 3)[0]["capacity"] == 3
    words = command(Orchestrator(), slots=3)
    assert words[words.index("-aiRunnerContainersPerGPU") + 1] == "3"


def test_an_orchestrator_with_its_worker_is_started() -> None:
    words = command(Orchestrator(image="livepeer/go-livepeer:v0.9.0"))
    assert words[:3] == ["docker", "run", "--detach"]
    assert "livepeer/go-livepeer:v0.9.0" in words
    assert {"-orchestrator", "-aiWorker"} <= set(words)
    assert words[words.index("-aiModels") + 1] == "/etc/spillway/aiModels.json"
    assert words[-2:] == ["-serviceAddr", "$address:8935"]
    assert "-ethUrl" not in words


def test_on_chain_it_is_registered_and_has_its_keys_in_files() -> None:
    words = command(ON_CHAIN)
    assert "-aiServiceRegistry" in words
    assert words[words.index("-ethOrchAddr") + 1] == "0xbb"
    assert words[words.index("-ethPassword") + 1] == "/etc/spillway/ethPassword"
    assert words[words.index("-ethKeystorePath") + 1] == "/etc/spillway/ethKeystore"


def test_secrets_are_in_files_of_root_alone() -> None:
    document = cloud_init(ON_CHAIN, "llm", MODEL, slots=1, lifetime_s=60.0, secrets=SECRETS)
    hidden = [file for file in document["write_files"] if "s3cret" in file["content"]]
    assert [file["permissions"] for file in hidden] == ["0600"] * 3
    assert "s3cret" not in json.dumps(document["runcmd"])


def test_secrets_are_not_shown() -> None:
    spec = BurstTerms(machines=1, usd_per_hour=1, usd_per_day=1, orchestrator=ON_CHAIN).spec("llm", MODEL, SECRETS)
    assert "s3cret" not in repr(spec)
    assert "s3cret" in json.dumps(spec.cloud_init)


@pytest.mark.parametrize("model", [MODEL, "a'b; reboot", "$(reboot)"])
def test_the_script_is_sound_shell(model: str) -> None:
    script = files(ON_CHAIN, model=model)[START]
    subprocess.run(["sh", "-n"], input=script.encode(), check=True)
    assert shlex.quote(model) in script


def test_the_machine_switches_itself_off() -> None:
    document = cloud_init(Orchestrator(), "llm", MODEL, slots=1, lifetime_s=7200.0, secrets=Secrets())
    assert document["runcmd"] == ["shutdown -P +120", START]


def test_user_data_is_cloud_config() -> None:
    document = cloud_init(Orchestrator(), "llm", MODEL, slots=1, lifetime_s=7200.0, secrets=Secrets())
    first, _, rest = cloud_config(document).partition("\n")
    assert first == "#cloud-config"
    assert json.loads(rest) == document
