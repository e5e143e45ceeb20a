"""What a key must be for, by path: the table of docs/keys.md. A path that it does not name needs a key of any kind."""

from spillway.domain.keys import FAMILIES
from spillway.domain.pipelines import PIPELINES

Need = frozenset[str] | None
"""The scopes of which one suffices; None where no key is asked for."""

REPLICATE_HOOK = "/hooks/replicate"
"""What comes there is signed."""
ANY_KEY: Need = frozenset()
_LIVEPEER, _OPENAI = FAMILIES


def _inference(pipeline: str, family: str) -> Need:
    return frozenset({"inference", f"inference:{family}", f"inference:{pipeline}", "admin"})


_READ, _JOBS, _ADMIN = (frozenset({scope, "admin"}) for scope in ("read", "jobs", "admin"))
_POSTS: dict[str, Need] = {
    **{pipeline.path: _inference(pipeline.name, _LIVEPEER) for pipeline in PIPELINES.values()},
    "/v1/chat/completions": _inference("llm", _OPENAI),
    "/v1/images/generations": _inference("text-to-image", _OPENAI),
}
_GETS: dict[str, Need] = {
    **dict.fromkeys(("/healthz", "/readyz", "/openapi.json"), None),
    **dict.fromkeys(("/gif", "/orchestrators", "/orchestrators/scores"), None),
    "/": _READ,
    "/metrics": _READ,
    "/v1/models": ANY_KEY,
}
_BELOW: tuple[tuple[str, Need], ...] = (("/artifacts/", None), ("/assets/", None), ("/hooks/", None), ("/jobs", _JOBS))


def need_of(method: str, path: str) -> Need:
    """What a request needs."""
    named = _POSTS if method == "POST" else _GETS if method in ("GET", "HEAD") else {}
    if path in named:
        return named[path]
    if path.startswith("/api/gif/"):
        return _competition(method, path)
    if path.startswith("/api/"):
        return _READ if named is _GETS else _ADMIN
    return next((need for below, need in _BELOW if path.startswith(below)), ANY_KEY)


def _competition(method: str, path: str) -> Need:
    """Everybody may look and vote; entries are made of one's own jobs, and taken away by operators."""
    if method == "POST":
        return None if path.endswith("/votes") else _JOBS
    return _ADMIN if method == "DELETE" else None
