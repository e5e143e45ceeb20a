"""The official JavaScript SDK works by changing its serverURL alone, in all nine pipelines."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sdk.answers import PIPELINES, check

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def files(picture: bytes, sound: bytes, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("files")
    paths = directory / "in.png", directory / "in.mp3"
    for path, content in zip(paths, (picture, sound), strict=True):
        path.write_bytes(content)
    return paths


@pytest.fixture(scope="module")
def of_free(free: str, files: tuple[Path, Path]) -> dict[str, Any]:
    return outcomes(free, files)


@pytest.fixture(scope="module")
def of_full(full: str, files: tuple[Path, Path]) -> dict[str, Any]:
    return outcomes(full, files)


def outcomes(url: str, files: tuple[Path, Path]) -> dict[str, Any]:
    """What one node process got from every pipeline."""
    if not (HERE / "node_modules" / "@livepeer" / "ai").is_dir():
        pytest.fail("the JavaScript SDK is not installed: run `make test`")
    order = ["node", "livepeer.mjs", url, *files]
    run = subprocess.run(order, cwd=HERE, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_subnet_answers(of_free: dict[str, Any], free: str, pipeline: str) -> None:
    got = of_free[pipeline]
    assert got.get("served_by") == "subnet", got
    check(pipeline, got["answer"], free, pictures=2 if pipeline == "text-to-image" else 1)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_full_subnet_is_answered_by_hosted_inference(of_full: dict[str, Any], full: str, pipeline: str) -> None:
    got = of_full[pipeline]
    assert got.get("served_by") == "replicate", got
    check(pipeline, got["answer"], full, pictures=2 if pipeline == "text-to-image" else 1)


def test_missing_prompt_is_the_sdk_s_own_error(of_free: dict[str, Any]) -> None:
    assert of_free["no prompt"] == {"error": "HTTPError", "message": "prompt is required and must not be empty"}


def test_empty_file_is_the_sdk_s_own_error(of_free: dict[str, Any]) -> None:
    assert of_free["empty file"] == {"error": "HTTPError", "message": "image is an empty file"}
