"""Settings from the environment."""

from pathlib import Path

import pytest

from spillway.errors import BadSettings
from spillway.settings import load_settings

GATEWAY = "0x012345dE92B630C065dFc0caBE4eB34f74f7FC85"


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPILLWAY_SUBNET_URL", "http://gateway:9935/")
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_secret")
    settings = load_settings()
    assert settings.subnet_url == "http://gateway:9935"
    assert "r8_secret" not in repr(settings)


def test_env_file_is_read_and_the_environment_wins(empty_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_directory / ".env").write_text("SPILLWAY_VERIFY=none\nSPILLWAY_MAX_BODY=2048\n")
    monkeypatch.setenv("SPILLWAY_MAX_BODY", "4096")
    settings = load_settings()
    assert (settings.verify, settings.max_body) == ("none", 4096)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SPILLWAY_VERIFIY", "none", "SPILLWAY_VERIFIY is not a setting; did you mean SPILLWAY_VERIFY?"),
        ("SPILLWAY_VERIFY", "maybe", "SPILLWAY_VERIFY: Input should be 'decode' or 'none'"),
        ("SPILLWAY_SUBNET_URL", "gateway:9935", "SPILLWAY_SUBNET_URL: must be an http:// or https:// URL"),
        ("SPILLWAY_MAX_BODY", "big", "SPILLWAY_MAX_BODY: Input should be a valid integer"),
        ("SPILLWAY_STATE", "redis://x", "SPILLWAY_STATE: must begin with memory:// or sqlite:// or firestore://"),
        ("SPILLWAY_CHAIN_ID", "one", "SPILLWAY_CHAIN_ID: Input should be a valid integer"),
        ("SPILLWAY_RPC_URL", "http://a,ws://b", "SPILLWAY_RPC_URL: must be an http:// or https:// URL"),
        ("SPILLWAY_RPC_URL", " , ", "SPILLWAY_RPC_URL: names nothing"),
        ("SPILLWAY_TICKET_BROKER", "0x12", "SPILLWAY_TICKET_BROKER: '0x12' is no address"),
        ("SPILLWAY_SENDERS", f"{GATEWAY},{GATEWAY.swapcase()}", "SPILLWAY_SENDERS: '0X012345De"),
        (
            "SPILLWAY_SENDERS",
            GATEWAY.replace("dE", "de"),
            "SPILLWAY_SENDERS: 0x012345de92B630C065dFc0caBE4eB34f74f7FC8",
        ),
        ("SPILLWAY_FALLBACK_USD_PER_DAY", "-1", "SPILLWAY_FALLBACK_USD_PER_DAY: Input should be greater"),
    ],
)
def test_bad_value_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as caught:
        load_settings()
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


def test_several_values_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPILLWAY_RPC_URL", "https://a/key-1/, http://b:8545")
    monkeypatch.setenv("SPILLWAY_SENDERS", f"{GATEWAY.lower()},{'0x' + '11' * 20}")
    settings = load_settings()
    assert settings.rpc_url == ("https://a/key-1", "http://b:8545")
    assert settings.senders == (GATEWAY, "0x" + "11" * 20)
    assert "key-1" not in repr(settings)


def test_secrets_are_not_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPILLWAY_SUBNET_URL", "user:hunter2@gateway")
    with pytest.raises(BadSettings) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
