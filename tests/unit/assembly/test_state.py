"""Which adapter a setting means."""

from pathlib import Path

import pytest

from spillway.adapters.bucket_artifacts import BucketArtifacts
from spillway.adapters.bucket_files import BucketFiles
from spillway.adapters.directory_files import DirectoryFiles
from spillway.adapters.file_artifacts import FileArtifacts
from spillway.adapters.firestore_jobs import FirestoreJobs
from spillway.adapters.local_queue import LocalQueue
from spillway.adapters.memory_jobs import MemoryJobs
from spillway.adapters.pubsub_queue import PubSubQueue
from spillway.adapters.sqlite_jobs import SqliteJobs
from spillway.assembly.state import open_artifacts, open_files, open_jobs, open_queue, open_store
from spillway.errors import BadSettings
from spillway.settings import load_settings


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("memory://", MemoryJobs),
        ("sqlite:///state.db", SqliteJobs),
        ("firestore://project", FirestoreJobs),
        ("firestore://project/database", FirestoreJobs),
    ],
)
def test_jobs_lie_where_the_state_does(state: str, kind: type) -> None:
    assert type(open_jobs(load_settings(state=state))) is kind


@pytest.mark.parametrize(
    ("queue", "kind"),
    [("local://", LocalQueue), ("pubsub://project", PubSubQueue), ("pubsub://project/topic", PubSubQueue)],
)
def test_queue_is_named_by_its_scheme(queue: str, kind: type) -> None:
    assert type(open_queue(load_settings(queue=queue))) is kind


@pytest.mark.parametrize("queue", ["pubsub://", "pubsub:///topic", "pubsub://project/topics/topic"])
def test_queue_that_is_no_place_is_refused(queue: str) -> None:
    with pytest.raises(BadSettings, match="SPILLWAY_QUEUE"):
        open_queue(load_settings(queue=queue))


def test_what_an_instance_forgets_is_refused_in_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SERVICE", "gateway")
    settings = load_settings(state="memory://", queue="local://")
    for opened in (open_store, open_jobs, open_queue):
        with pytest.raises(BadSettings, match=r"SPILLWAY_(STATE|QUEUE)"):
            opened(settings)


@pytest.mark.parametrize(
    ("artifacts", "kinds"),
    [("file:///tmp/kept", (DirectoryFiles, FileArtifacts)), ("gs://a-bucket", (BucketFiles, BucketArtifacts))],
)
def test_files_lie_beside_the_artifacts(artifacts: str, kinds: tuple[type, type]) -> None:
    settings = load_settings(artifacts=artifacts)
    assert (type(open_files(settings)), type(open_artifacts(settings))) == kinds


@pytest.mark.parametrize("artifacts", ["file://", "file://host/dir", "gs://", "gs://bucket/folder", "gs://Bucket"])
def test_artifacts_without_a_place_are_refused(artifacts: str) -> None:
    for opened in (open_files, open_artifacts):
        with pytest.raises(BadSettings, match="SPILLWAY_ARTIFACTS"):
            opened(load_settings(artifacts=artifacts))


@pytest.mark.parametrize("state", ["sqlite://", "sqlite:///", "firestore://", "firestore:///database"])
def test_state_that_is_no_place_is_refused(state: str) -> None:
    with pytest.raises(BadSettings, match="SPILLWAY_STATE"):
        open_jobs(load_settings(state=state))
