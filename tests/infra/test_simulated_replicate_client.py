"""The official Python client takes the simulated Replicate for the real one, with the shipped models."""

from collections.abc import Iterator

import httpx
import pytest
import replicate
from replicate.exceptions import ModelError, ReplicateError

from simulator import ReplicateApi, background
from simulator.schemas import load_models

SCHNELL = "black-forest-labs/flux-schnell"


@pytest.fixture(scope="module")
def api() -> Iterator[ReplicateApi]:
    server = ReplicateApi(time_scale=0.001, deployments={"acme/mine": SCHNELL})
    with background(server):
        yield server


@pytest.fixture(scope="module")
def client(api: ReplicateApi) -> Iterator[replicate.Client]:
    session = replicate.Client(api_token="r8_test", base_url=api.url)
    session.poll_interval = 0.005
    yield session
    session._client.close()


def test_run_gives_files_that_can_be_read(client: replicate.Client) -> None:
    # The client wraps https: addresses only, so these stay strings.
    output = client.run(SCHNELL, input={"prompt": "a heron", "num_outputs": 2})
    assert [httpx.get(url).content[:4] for url in output] == [b"RIFF", b"RIFF"]


def test_stream_gives_the_words_of_the_prediction(client: replicate.Client) -> None:
    said = [str(event) for event in client.stream("meta/meta-llama-3-8b-instruct", input={"prompt": "hello"})]
    assert len("".join(said).split()) > 5


def test_failed_model_is_the_clients_model_error(api: ReplicateApi, client: replicate.Client) -> None:
    api.faults.add("nsfw", times=1)
    with pytest.raises(ModelError, match="NSFW content detected"):
        client.run(SCHNELL, input={"prompt": "x"})


def test_problem_is_the_clients_replicate_error(client: replicate.Client) -> None:
    with pytest.raises(ReplicateError) as caught:
        client.predictions.create(model=SCHNELL, input={})
    assert (caught.value.status, caught.value.title) == (422, "Input validation failed")


def test_deployments_and_account_can_be_read_and_changed(client: replicate.Client) -> None:
    assert client.deployments.update("acme", "mine", min_instances=1).current_release.configuration.min_instances == 1
    assert client.accounts.current().username == "acme"
    assert client.models.get(SCHNELL).latest_version is not None


def test_prediction_shows_progress_from_its_logs(client: replicate.Client) -> None:
    # `predictions.create(model=…)` drops `wait` in replicate 1.0.7; this one keeps it.
    prediction = client.models.predictions.create(model=SCHNELL, input={"prompt": "x"}, wait=True)
    assert prediction.progress is not None
    assert prediction.progress.percentage == 1.0


@pytest.mark.parametrize("name", sorted(load_models(None)))
def test_every_shipped_model_answers_its_least_input(api: ReplicateApi, client: replicate.Client, name: str) -> None:
    model = api.catalogue.models[name]
    least = {
        field: "https://example.com/in.png" if rule["type"] == "file" else "hello"
        for field, rule in model.input.items()
        if rule.get("required")
    }
    target = {"model": name} if model.official else {"version": model.version}
    prediction = client.predictions.create(**target, input=least)
    prediction.wait()
    assert (prediction.status, prediction.error) == ("succeeded", None)
    assert prediction.output
