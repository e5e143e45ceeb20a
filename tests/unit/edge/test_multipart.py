"""Multipart bodies: taken apart without being changed."""

from contextlib import AbstractContextManager, closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillway.edge.bodies import IN_MEMORY, PIECE, Body, Room
from spillway.edge.multipart import Multipart
from spillway.errors import BadRequest

BOUNDARY = "x--bound'ary"
CONTENT_TYPE = f'multipart/form-data; boundary="{BOUNDARY}"'
Fields = list[tuple[str, bytes, bool]]


def form(fields: Fields) -> bytes:
    parts = []
    for name, value, is_file in fields:
        more = '; filename="a b.png"\r\nContent-Type: image/png' if is_file else ""
        parts.append(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"
        )
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def body(data: bytes) -> AbstractContextManager[Body]:
    kept = Body(Room(10**8, 10**9))
    kept.write(data)
    return closing(kept)


async def sent(placed: Any) -> bytes:
    content = placed.content()
    return content if isinstance(content, bytes) else b"".join([piece async for piece in content])


values = st.one_of(
    st.binary(max_size=80), st.sampled_from([b"\r\n", b"\r\n--", f"\r\n--{BOUNDARY[:-1]}".encode(), b"-" * 70])
)


@given(st.lists(st.tuples(st.sampled_from("abcd"), values, st.booleans()), min_size=1, max_size=6), st.integers(0, 300))
async def test_parts_go_on_byte_for_byte(fields: Fields, before_piece_end: int) -> None:
    filler = ("filler", b"f" * max(0, PIECE - before_piece_end - 120), True)
    raw = form([filler, *fields])
    with body(raw) as kept:
        found = Multipart(kept, CONTENT_TYPE)
        assert await sent(found.payload({})) == raw
        for name, upload in found.uploads().items():
            files = [value for n, value, is_file in [filler, *fields] if n == name and is_file]
            assert upload.open().read() == files[-1]


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_added_field_replaces_the_one_of_its_name(place: int) -> None:
    fields: Fields = [("prompt", b"cat", False), ("image", b"\x89PNG", True)]
    fields.insert(place, ("model_id", b"", False))
    with body(form(fields)) as kept:
        payload = Multipart(kept, CONTENT_TYPE).payload({"model_id": "a/b"})
        data = await sent(payload)
    rest = [field for field in fields if field[0] != "model_id"]
    assert data == form([("model_id", b"a/b", False), *rest])
    assert payload.size == len(data)


async def test_large_upload_is_on_disk_and_flows_in_pieces() -> None:
    data = bytes(range(256)) * (2 * IN_MEMORY // 256)
    with body(form([("image", data, True)])) as kept:
        assert kept._file._rolled  # type: ignore[attr-defined]
        flow = Multipart(kept, CONTENT_TYPE).payload({"model_id": "a/b"}).content()
        assert not isinstance(flow, bytes)
        pieces = [piece async for piece in flow]
    assert max(len(piece) for piece in pieces) <= PIECE
    assert data in b"".join(pieces)


def test_two_readers_of_one_upload_do_not_disturb_each_other() -> None:
    with body(form([("image", b"0123456789", True)])) as kept:
        upload = Multipart(kept, CONTENT_TYPE).uploads()["image"]
        one, other = upload.open(), upload.open()
        assert (one.read(3), other.read(5), one.read(3), other.read()) == (b"012", b"01234", b"345", b"56789")


@pytest.mark.parametrize(
    ("data", "content_type", "words"),
    [
        (form([("a", b"1", False)])[:-6], CONTENT_TYPE, "breaks off"),
        (b"", CONTENT_TYPE, "breaks off"),
        (b"{}", CONTENT_TYPE, "not multipart"),
        (form([("a", b"1", False)]), "multipart/form-data", "no boundary"),
        (form([("a", b"\xff", False)]), CONTENT_TYPE, "not UTF-8"),
        (form([("a", b"", False)] * 65), CONTENT_TYPE, "more than 64 parts"),
    ],
)
def test_broken_form_says_what_is_wrong(data: bytes, content_type: str, words: str) -> None:
    with body(data) as kept, pytest.raises(BadRequest, match=words):
        Multipart(kept, content_type).fields()
