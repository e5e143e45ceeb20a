"""What a burst machine does at its first boot: Docker, NVIDIA's container toolkit, a go-livepeer AI orchestrator.

Flags are those of go-livepeer's cmd/livepeer/starter/flags.go, aiModels.json is core.AIModelConfig. The document is
made of keys that both TensorDock's `cloud_init` and cloud-init itself take. It holds secrets: it is for the cloud only,
never for a log.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from spillway.errors import BadSettings

CONFIG_DIR = "/etc/spillway"
STATE_DIR = "/var/lib/spillway"
MODELS_DIR = f"{STATE_DIR}/models"
START = "/usr/local/sbin/spillway-orchestrator"
TOOLKIT = "https://nvidia.github.io/libnvidia-container"
RUNNERS = {
    "audio-to-text": "livepeer/ai-runner:audio-to-text",
    "llm": "livepeer/ai-runner:llm",
    "segment-anything-2": "livepeer/ai-runner:segment-anything-2",
    "text-to-speech": "livepeer/ai-runner:text-to-speech",
}
FETCH_MODEL = "import sys, huggingface_hub as hub; hub.snapshot_download(sys.argv[1], cache_dir='/models')"


class Orchestrator(BaseModel):
    """How the orchestrator is started. Prices are wei (or `currency`) for `pixels_per_unit` pixels.

    The `_env` fields name environment variables that hold secrets. `address_url` answers with the machine's public
    address: on Compute Engine that is the metadata server.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str = "livepeer/go-livepeer:master"
    runner_image: str | None = None
    port: int = Field(default=8935, ge=1, le=65535)
    address_url: str = "https://api.ipify.org"
    network: str = "offchain"
    eth_url: str | None = None
    eth_account: str | None = None
    eth_orchestrator: str | None = None
    redeemer: str | None = None
    price_per_unit: float = Field(default=0.0, ge=0)
    pixels_per_unit: int = Field(default=1, ge=1)
    currency: str | None = None
    optimization_flags: dict[str, bool | str] = Field(default_factory=dict)
    orch_secret_env: str | None = None
    eth_password_env: str | None = None
    eth_keystore_env: str | None = None


@dataclass(frozen=True, slots=True)
class Secrets:
    """The values behind the `_env` fields."""

    orch_secret: SecretStr | None = None
    eth_password: SecretStr | None = None
    eth_keystore: SecretStr | None = None

    @classmethod
    def read(cls, orchestrator: Orchestrator, environment: Mapping[str, str]) -> "Secrets":
        """The values that the `_env` fields name. Raises BadSettings for a name that is not set."""
        names = (orchestrator.orch_secret_env, orchestrator.eth_password_env, orchestrator.eth_keystore_env)
        for name in names:
            if name and not environment.get(name):
                raise BadSettings(f"[routes.burst.orchestrator] takes a secret from {name}, which is not set")
        return cls(*(SecretStr(environment[name]) if name else None for name in names))

    def files(self) -> dict[str, SecretStr]:
        """The secrets that are given, by the file each is written to."""
        named = {"orchSecret": self.orch_secret, "ethPassword": self.eth_password, "ethKeystore": self.eth_keystore}
        return {f"{CONFIG_DIR}/{name}": value for name, value in named.items() if value is not None}


def ai_models(own: Orchestrator, pipeline: str, model: str, slots: int) -> list[dict[str, Any]]:
    """The content of aiModels.json: one model, warm, so that the machine is of use from its first job."""
    entry: dict[str, Any] = {
        "pipeline": pipeline,
        "model_id": model,
        "warm": True,
        "price_per_unit": int(own.price_per_unit) if own.price_per_unit.is_integer() else own.price_per_unit,
        "pixels_per_unit": own.pixels_per_unit,
    }
    if slots > 1:
        entry["capacity"] = slots
    if own.currency:
        entry["currency"] = own.currency
    if own.optimization_flags:
        entry["optimization_flags"] = dict(own.optimization_flags)
    return [entry]


def cloud_init(
    own: Orchestrator, pipeline: str, model: str, *, slots: int, lifetime_s: float, secrets: Secrets
) -> dict[str, Any]:
    """The document. The machine switches itself off after its lifetime, should nobody be there to remove it."""
    models = json.dumps(ai_models(own, pipeline, model, slots), indent=1)
    files = [
        _file(f"{CONFIG_DIR}/aiModels.json", models, "0644"),
        _file(START, _script(own, pipeline, model, slots, secrets), "0755"),
    ]
    files += [_file(path, value.get_secret_value(), "0600") for path, value in secrets.files().items()]
    return {
        "package_update": True,
        "packages": ["ca-certificates", "curl", "docker.io", "gnupg"],
        "write_files": files,
        "runcmd": [f"shutdown -P +{max(1, round(lifetime_s / 60))}", START],
    }


def cloud_config(document: dict[str, Any]) -> str:
    """The document as user-data: JSON is YAML."""
    return "#cloud-config\n" + json.dumps(document, indent=1)


def _file(path: str, content: str, permissions: str) -> dict[str, str]:
    return {"path": path, "content": content, "permissions": permissions, "owner": "root:root"}


def _script(own: Orchestrator, pipeline: str, model: str, slots: int, secrets: Secrets) -> str:
    runner = own.runner_image or RUNNERS.get(pipeline, "livepeer/ai-runner:latest")
    fetch = ["docker", "run", "--rm", "--volume", f"{MODELS_DIR}:/models", "--entrypoint", "python", runner]
    ask = ["curl", "-fsS", "--retry", "20", "--retry-all-errors", "-H", "Metadata-Flavor: Google", own.address_url]
    start = shlex.join([*_docker(own), *_flags(own, pipeline, slots, secrets)])
    lines = [
        "#!/bin/sh",
        "set -eu",
        *_toolkit(),
        f"mkdir -p {MODELS_DIR}",
        shlex.join([*fetch, "-c", FETCH_MODEL, model]),
        f"address=$({shlex.join(ask)})",
        f'{start} -serviceAddr "$address:{own.port}"',
    ]
    return "\n".join(lines) + "\n"


def _toolkit() -> list[str]:
    """Installs NVIDIA's container toolkit where the image has none; the driver must be in the image."""
    key, source = (
        "/usr/share/keyrings/nvidia-container-toolkit.gpg",
        "/etc/apt/sources.list.d/nvidia-container-toolkit.list",
    )
    return [
        "if ! command -v nvidia-ctk >/dev/null; then",
        f"  curl -fsSL {TOOLKIT}/gpgkey | gpg --dearmor --yes -o {key}",
        f'  echo "deb [signed-by={key}] {TOOLKIT}/stable/deb/$(dpkg --print-architecture) /" > {source}',
        "  apt-get update -q",
        "  DEBIAN_FRONTEND=noninteractive apt-get install -qy nvidia-container-toolkit",
        "fi",
        "nvidia-ctk runtime configure --runtime=docker",
        "systemctl restart docker",
    ]


def _docker(own: Orchestrator) -> list[str]:
    """The worker asks the machine's own Docker for runners, so paths are the same inside and outside."""
    volumes = ["/var/run/docker.sock:/var/run/docker.sock", f"{CONFIG_DIR}:{CONFIG_DIR}:ro", f"{STATE_DIR}:{STATE_DIR}"]
    mounts = [part for volume in volumes for part in ("--volume", volume)]
    return [
        "docker", "run", "--detach", "--name", "orchestrator", "--restart", "unless-stopped", "--network", "host",
        "--gpus", "all", *mounts, own.image,
    ]  # fmt: skip


def _flags(own: Orchestrator, pipeline: str, slots: int, secrets: Secrets) -> list[str]:
    chain = own.network != "offchain"
    valued = {
        "-network": own.network,
        "-dataDir": f"{STATE_DIR}/livepeer",
        "-nvidia": "all",
        "-aiModels": f"{CONFIG_DIR}/aiModels.json",
        "-aiModelsDir": MODELS_DIR,
        "-aiRunnerContainersPerGPU": str(slots) if slots > 1 else None,
        "-aiRunnerImageOverrides": json.dumps({"batch": {pipeline: own.runner_image}}) if own.runner_image else None,
        "-orchSecret": f"{CONFIG_DIR}/orchSecret" if secrets.orch_secret else None,
        "-ethUrl": own.eth_url if chain else None,
        "-ethAcctAddr": own.eth_account if chain else None,
        "-ethOrchAddr": own.eth_orchestrator if chain else None,
        "-redeemerAddr": own.redeemer if chain else None,
        "-ethPassword": f"{CONFIG_DIR}/ethPassword" if chain and secrets.eth_password else None,
        "-ethKeystorePath": f"{CONFIG_DIR}/ethKeystore" if chain and secrets.eth_keystore else None,
    }
    switches = ["-orchestrator", "-aiWorker", *(["-aiServiceRegistry"] if chain else [])]
    return switches + [part for name, value in valued.items() if value for part in (name, value)]
