"""The files a simulator hands out: recipes rather than bytes, so that ten thousand of them weigh nothing."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from simulator import media
from simulator.faults import Fault

Recipe = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class File:
    """A file to be had until `expires_s`, in the simulator's seconds."""

    make: Recipe
    content_type: str
    expires_s: float


class Files:
    """Files by path, the most recent `limit` of them."""

    def __init__(self, limit: int = 20_000) -> None:
        """Start without any."""
        self._files: OrderedDict[str, File] = OrderedDict()
        self._limit = limit

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._files)

    def publish(self, path: str, make: Recipe, fault: Fault | None = None, expires_s: float = float("inf")) -> str:
        """Hand out under this path what `make` makes, spoilt as the fault says; gives the path back."""
        if fault is None or fault.kind != "missing_media":
            self._files[path] = File(self.spoilt(make, fault), media.content_type(path), expires_s)
        while len(self._files) > self._limit:
            self._files.popitem(last=False)
        return path

    def get(self, path: str, now_s: float) -> File | None:
        """The file, if it is still there."""
        file = self._files.get(path)
        if file is not None and file.expires_s <= now_s:
            del self._files[path]
            return None
        return file

    @staticmethod
    def spoilt(make: Recipe, fault: Fault | None) -> Recipe:
        """The recipe of what is left of a file after a media fault."""
        if fault is None:
            return make
        if fault.kind == "truncated_media":
            return partial(_truncated, make)
        return _page if fault.kind == "wrong_media" else make


def _truncated(make: Recipe) -> bytes:
    return media.truncated(make())


def _page() -> bytes:
    return media.WRONG_PAGE
