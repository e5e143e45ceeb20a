"""Cloud Storage's stand-in, where Google's library looks for it."""

import gc
import warnings
from collections.abc import Iterator

import pytest

from simulator import StorageApi, background


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[StorageApi]:
    """A bucket named `bucket`, empty."""
    api = StorageApi()
    with background(api):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", api.url)
        yield api
        # Google's library leaves the connection of a read that failed to the garbage collector: not to another test's.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
