"""What every function needs: the routes in force, and the places that instances share, each by its setting's scheme."""

import os
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spillway.domain.routes import Routes, RoutesFile, parse_routes, with_builtin
from spillway.errors import BadSettings
from spillway.ports import Artifacts
from spillway.ports.store import Store
from spillway.settings import Settings

if TYPE_CHECKING:
    from spillway.ports.jobs import Files, Jobs, Queue

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


def load_routes(settings: Settings) -> Routes:
    """The routes file over the built-in routes. Raises BadSettings."""
    text = resources.files("spillway").joinpath("builtin_routes.toml").read_text()
    builtin = parse_routes(text, source="the built-in routes")
    if settings.routes is None:
        return with_builtin(RoutesFile(), builtin)
    try:
        own = settings.routes.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"SPILLWAY_ROUTES: {settings.routes} can't be read ({type(error).__name__})") from error
    return with_builtin(parse_routes(own, source=str(settings.routes)), builtin)


def open_store(settings: Settings) -> Store:
    """The store that instances share. Nothing is opened or connected yet. Raises BadSettings."""
    scheme, _, place = settings.state.partition("://")
    if scheme == "memory":
        _refuse_in_cloud("SPILLWAY_STATE: memory:// forgets everything with each instance; use firestore://")
        from spillway.adapters.memory_store import MemoryStore  # noqa: PLC0415 (by scheme)

        return MemoryStore()
    if scheme == "sqlite":
        from spillway.adapters.sqlite_store import SqliteStore  # noqa: PLC0415 (by scheme)

        return SqliteStore(state_file(place))
    from spillway.adapters.firestore_store import FirestoreStore  # noqa: PLC0415 (by scheme)

    return FirestoreStore(*state_database(place))


def open_jobs(settings: Settings) -> "Jobs":
    """The store of jobs, beside the other state. Nothing is opened or connected yet. Raises BadSettings."""
    scheme, _, place = settings.state.partition("://")
    if scheme == "memory":
        _refuse_in_cloud("SPILLWAY_STATE: memory:// forgets everything with each instance; use firestore://")
        from spillway.adapters.memory_jobs import MemoryJobs  # noqa: PLC0415 (by scheme)

        return MemoryJobs()
    if scheme == "sqlite":
        from spillway.adapters.sqlite_jobs import SqliteJobs  # noqa: PLC0415 (by scheme)

        return SqliteJobs(state_file(place))
    from spillway.adapters.firestore_jobs import FirestoreJobs  # noqa: PLC0415 (by scheme)

    return FirestoreJobs(*state_database(place), keep_s=settings.keep_results_s)


def open_queue(settings: Settings) -> "Queue":
    """What tells workers of jobs; a LocalQueue has to be run. Nothing is connected yet. Raises BadSettings."""
    topic = queue_topic(settings)
    if topic is None:
        from spillway.adapters.local_queue import LocalQueue  # noqa: PLC0415 (by scheme)

        return LocalQueue()
    from spillway.adapters.pubsub_queue import PubSubQueue  # noqa: PLC0415 (by scheme)

    return PubSubQueue(*topic)


def queue_topic(settings: Settings) -> tuple[str, str] | None:
    """The project and topic of a pubsub:// queue; None where it is local. Raises BadSettings."""
    scheme, _, place = settings.queue.partition("://")
    if scheme == "local":
        _refuse_in_cloud("SPILLWAY_QUEUE: local:// reaches no worker from here; use pubsub://PROJECT")
        return None
    project, _, topic = place.partition("/")
    if not project or "/" in topic:
        raise BadSettings("SPILLWAY_QUEUE: must be pubsub://PROJECT or pubsub://PROJECT/TOPIC")
    return project, topic or f"{settings.deployment}-jobs"


def open_files(settings: Settings) -> "Files":
    """Where inputs and results of jobs lie: beside the artifacts, which are public, but not among them.

    Nothing is connected yet. Raises BadSettings.
    """
    if (bucket := _bucket(settings)) is not None:
        from spillway.adapters.bucket_files import BucketFiles  # noqa: PLC0415 (by scheme)

        return BucketFiles(bucket)
    from spillway.adapters.directory_files import DirectoryFiles  # noqa: PLC0415 (by scheme)

    return DirectoryFiles(_directory(settings) / "jobs")


def open_artifacts(settings: Settings) -> Artifacts:
    """Where results are kept that people fetch. Nothing is connected yet. Raises BadSettings."""
    if (bucket := _bucket(settings)) is not None:
        from spillway.adapters.bucket_artifacts import BucketArtifacts  # noqa: PLC0415 (by scheme)

        return BucketArtifacts(bucket)
    from spillway.adapters.file_artifacts import FileArtifacts  # noqa: PLC0415 (by scheme)

    return FileArtifacts(_directory(settings))


def _bucket(settings: Settings) -> str | None:
    scheme, _, place = settings.artifacts.partition("://")
    if scheme != "gs":
        return None
    if not _BUCKET.fullmatch(place):
        raise BadSettings("SPILLWAY_ARTIFACTS: must be gs://BUCKET, without a folder")
    return place


def _directory(settings: Settings) -> Path:
    directory = urlsplit(settings.artifacts)
    if directory.netloc or not directory.path:
        raise BadSettings("SPILLWAY_ARTIFACTS: must be file:///DIR with an absolute path")
    return Path(directory.path)


def refuse_passing_state(settings: Settings) -> None:
    """Raises BadSettings where the state would be gone with its instance."""
    if settings.state.startswith("sqlite:"):
        _refuse_in_cloud("SPILLWAY_STATE: sqlite:// is of one machine; set firestore://PROJECT/DATABASE")


def _refuse_in_cloud(reason: str) -> None:
    if os.environ.get("K_SERVICE"):
        raise BadSettings(reason)


def state_file(place: str) -> Path:
    """The path of a sqlite:// state. Raises BadSettings."""
    if not place.removeprefix("/"):
        raise BadSettings("SPILLWAY_STATE: sqlite:///PATH needs a path")
    return Path(place.removeprefix("/")) if not place.startswith("//") else Path(place[1:])


def state_database(place: str) -> tuple[str, str]:
    """The project and database of a firestore:// state. Raises BadSettings."""
    project, _, database = place.partition("/")
    if not project:
        raise BadSettings("SPILLWAY_STATE: must be firestore://PROJECT/DATABASE")
    return project, database or "(default)"
