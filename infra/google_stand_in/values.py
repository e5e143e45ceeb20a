"""Values on their way: MessagePack in and out, what is not known yet, and what a cloud would have filled in."""

from collections.abc import Callable, Mapping
from typing import Any

import msgpack

from google_stand_in.protocol import MESSAGES
from google_stand_in.schema import Block, Type

UNKNOWN = msgpack.ExtType(0, b"\0")
"""A value that is known after the apply, as Terraform writes it."""

PROJECT_NUMBER = "123456789012"

_EMAIL = "{account_id}@{project}.iam.gserviceaccount.com"

# What others refer to has the form that Google gives it; `{name}` stands for an argument.
_MADE = {
    "google_artifact_registry_repository": {
        "id": "projects/{project}/locations/{location}/repositories/{repository_id}",
        "name": "{repository_id}",
    },
    "google_project": {"number": PROJECT_NUMBER},
    "google_project_iam_custom_role": {
        "id": "projects/{project}/roles/{role_id}",
        "name": "projects/{project}/roles/{role_id}",
    },
    "google_pubsub_subscription": {"id": "projects/{project}/subscriptions/{name}"},
    "google_pubsub_topic": {"id": "projects/{project}/topics/{name}"},
    "google_service_account": {
        "email": _EMAIL,
        "id": f"projects/{{project}}/serviceAccounts/{_EMAIL}",
        "member": f"serviceAccount:{_EMAIL}",
    },
}


def unpacked(value: Any) -> Any:
    """A value of Terraform's, or None."""
    return msgpack.unpackb(value.msgpack, strict_map_key=False)


def packed(value: Any) -> Any:
    """A value for Terraform."""
    return MESSAGES["DynamicValue"](msgpack=msgpack.packb(value))


def is_unknown(value: Any) -> bool:
    """Whether it is known only after the apply."""
    return isinstance(value, msgpack.ExtType)


def planned(state: dict[str, Any], block: Block) -> dict[str, Any]:
    """A new resource's plan: what is not written is not known yet."""
    return _filled(state, block, lambda _: UNKNOWN)


def made(kind: str, state: dict[str, Any], block: Block) -> dict[str, Any]:
    """A resource as it is after the apply: nothing is unknown any more."""
    settled = _filled(_settled(state, block), block, _nothing)
    for name, form in _MADE.get(kind, {}).items():
        settled[name] = form.format_map(settled)
    if not settled.get("id") or settled["id"] == "made-up":
        settled["id"] = f"{kind}/{settled.get('name') or 'made-up'}"
    return settled


def _settled(state: Mapping[str, Any], block: Block) -> dict[str, Any]:
    return {name: _known(value, block, name) for name, value in state.items()}


def _known(value: Any, block: Block, name: str) -> Any:
    if name in block.nested:
        inner = block.nested[name].block
        return [_settled(one, inner) for one in value] if isinstance(value, list) else value
    return _nothing(block.attributes[name]) if is_unknown(value) else value


def _filled(state: dict[str, Any], block: Block, fill: Callable[[Type], Any]) -> dict[str, Any]:
    for name, kind in block.settled.items():
        if state.get(name) is None:
            state[name] = fill(kind)
    for name, nested in block.nested.items():
        inner = state.get(name)
        if isinstance(inner, list):
            state[name] = [_filled(one, nested.block, fill) for one in inner]
    return state


def _nothing(kind: Type) -> Any:
    if isinstance(kind, list):
        return {} if kind[0] == "map" else []
    return {"string": "made-up", "number": 1, "bool": False}.get(kind)
