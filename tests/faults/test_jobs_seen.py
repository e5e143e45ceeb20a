"""Jobs over HTTP, with a worker in another process's place: taken in, watched, waited for and taken back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.house import ROUTES, House, house
from support.listening import listening
from support.puppets import PICTURE, Puppet, puppet
from support.waiting import eventually

ASYNC = {"prefer": "respond-async"}
WISH = {"prompt": "a river", "width": 128, "height": 128}
CHAT = {"messages": [{"role": "user", "content": "Hello"}]}
SHAPE = [
    "id", "status", "pipeline", "model", "served_by", "progress", "queue_position", "eta_seconds", "created_at",
    "started_at", "finished_at", "result", "error",
]  # fmt: skip


@dataclass
class Stage:
    """The front door, and a worker behind it."""

    door: House
    worker: Puppet

    async def submit(self, path: str = "/text-to-image", body: Any = None, **headers: str) -> httpx.Response:
        """Ask for a job."""
        sent = {**ASYNC, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self.door.client.post(self.door.url + path, json=body or WISH, headers=sent)

    async def a_job(self, **headers: str) -> str:
        """The id of a job that was taken in."""
        return str((await self.submit(**headers)).raise_for_status().json()["id"])

    async def get(self, job_id: str, **headers: str) -> httpx.Response:
        """GET /jobs/{id}."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.door.client.get(f"{self.door.url}/jobs/{job_id}", headers=sent)

    async def delete(self, job_id: str) -> httpx.Response:
        """DELETE /jobs/{id}."""
        return await self.door.client.delete(f"{self.door.url}/jobs/{job_id}")

    def events(self, job_id: str) -> str:
        """Where the job's events are."""
        return f"{self.door.url}/jobs/{job_id}/events"


@asynccontextmanager
async def stage(tmp_path: Path, **settings: Any) -> AsyncIterator[Stage]:
    """The front door over a state file."""
    state = tmp_path / "state.db"
    async with (
        house(tmp_path, state=f"sqlite:///{state}", works=False, **settings) as door,
        puppet(state, tmp_path / "artifacts") as worker,
    ):
        yield Stage(door, worker)


def assert_problem(reply: httpx.Response, status: int, title: str) -> None:
    """An error after RFC 9457."""
    assert (reply.status_code, reply.json()["title"]) == (status, title), reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["status"] == status
    assert reply.json()["detail"]
    assert reply.headers["x-request-id"]


def moment(text: str) -> float:
    """A time of RFC 3339 in UTC, in epoch seconds."""
    assert text.endswith("Z")
    return datetime.fromisoformat(text).timestamp()


async def test_accepted_job_is_told_with_its_place(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        reply = await there.submit(x_request_id="mine")
        job = reply.json()
        assert reply.status_code == 202
        assert reply.headers["location"] == f"/jobs/{job['id']}"
        assert reply.headers["preference-applied"] == "respond-async"
        assert reply.headers["x-request-id"] == "mine"
        assert list(job) == SHAPE
        assert (job["status"], job["pipeline"], job["model"]) == ("queued", "text-to-image", "stabilityai/sdxl-turbo")
        assert (job["queue_position"], job["progress"]) == (1, 0.0)
        assert job["eta_seconds"] > 0
        assert [job[name] for name in ("served_by", "started_at", "finished_at", "result", "error")] == [None] * 5
        assert abs(moment(job["created_at"]) - time.time()) < 10
        second = (await there.submit()).json()
        assert second["queue_position"] == 2
        assert (await there.get(job["id"])).json()["queue_position"] == 1


async def test_input_is_kept_as_the_worker_needs_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        picture = {"image": ("a.png", b"\x89PNG" + b"x" * 200_000, "image/png")}
        door, ids = there.door, []
        for path, sent in (
            ("/text-to-image", {"json": WISH}),
            ("/image-to-video", {"data": {"fps": "6"}, "files": picture}),
            ("/v1/images/generations", {"json": {"prompt": "a river", "size": "128x128"}}),
            ("/llm", {"json": {**CHAT, "stream": True}}),
        ):
            reply = await door.client.post(door.url + path, headers=ASYNC, **sent)
            assert reply.status_code == 202, reply.text
            ids.append(reply.json()["id"])
        kept = []
        for job_id in ids:
            job = await there.worker.job(job_id)
            content = await there.worker.files.read(job.input)
            assert content is not None
            with content:
                kept.append((job.content_type.partition(";")[0], content.read()))
    assert [kind for kind, _ in kept] == [
        "application/json",
        "multipart/form-data",
        "application/json",
        "application/json",
    ]
    assert b'"prompt":"a river"' in kept[0][1]
    assert picture["image"][1] in kept[1][1]
    assert b'"num_images_per_prompt":1' in kept[2][1]
    assert b'"stream":false' in kept[3][1]


async def test_job_is_shown_through_its_life(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        await there.worker.start(job_id)
        running = (await there.get(job_id)).json()
        assert (running["status"], running["served_by"], running["queue_position"]) == ("running", "subnet", None)
        assert 0 <= running["progress"] < 0.5
        assert running["eta_seconds"] > 0
        await there.worker.succeed(job_id)
        done = (await there.get(job_id)).json()
        assert (done["status"], done["served_by"], done["model"]) == ("succeeded", "subnet", "a/model")
        assert (done["progress"], done["eta_seconds"], done["error"]) == (1.0, None, None)
        assert done["result"] == PICTURE
        assert moment(done["created_at"]) <= moment(done["started_at"]) <= moment(done["finished_at"])


async def test_failed_job_says_why(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        await there.worker.start(job_id)
        await there.worker.fail(job_id, "content_refused", "this is not made here")
        job = (await there.get(job_id)).json()
        assert (job["status"], job["result"]) == ("failed", None)
        assert job["error"] == {"code": "content_refused", "message": "this is not made here"}


async def test_result_has_the_shape_of_the_api_that_was_asked(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        body = {"prompt": "a river", "response_format": "b64_json"}
        pictures = (await there.submit("/v1/images/generations", body)).json()["id"]
        chat = (await there.submit("/v1/chat/completions", {**CHAT, "stream": True})).json()["id"]
        for job_id, result in ((pictures, PICTURE), (chat, {"choices": [{"message": {"content": "Hi"}}]})):
            await there.worker.start(job_id)
            await there.worker.succeed(job_id, result)
        made, said = [(await there.get(job_id)).json()["result"] for job_id in (pictures, chat)]
    assert made["data"] == [{"url": "https://example.com/a.png"}]
    assert made["model"] == said["model"] == "a/model"
    assert (said["object"], said["choices"][0]["finish_reason"]) == ("chat.completion", "stop")


async def test_unknown_job_is_a_problem(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        assert_problem(await there.get("nobody"), 404, "job_not_found")
        assert_problem(await there.get("nobody", prefer="wait=5"), 404, "job_not_found")
        assert_problem(await there.delete("nobody"), 404, "job_not_found")
        assert_problem(await there.door.client.get(there.events("nobody")), 404, "job_not_found")
        assert_problem(await there.door.client.post(f"{there.door.url}/jobs/nobody"), 405, "method_not_allowed")


async def test_bad_request_is_refused_at_once_in_its_familys_words(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        reply = await there.submit(body={"prompt": ""})
        assert (reply.status_code, "prompt" in reply.json()["error"]["message"]) == (400, True)
        tools = await there.submit("/v1/chat/completions", {**CHAT, "tools": [{"type": "function"}]})
        assert (tools.status_code, tools.json()["error"]["param"]) == (400, "tools")


async def test_known_version_is_not_sent_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        first = await there.get(job_id)
        tag = first.headers["etag"]
        again = await there.get(job_id, if_none_match=tag)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await there.get(job_id, if_none_match=f'"other", {tag.removeprefix("W/")}')).status_code == 304
        await there.worker.start(job_id)
        changed = await there.get(job_id, if_none_match=tag)
        assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)
        head = await there.door.client.head(f"{there.door.url}/jobs/{job_id}")
        assert (head.status_code, head.headers["etag"], head.content) == (200, changed.headers["etag"], b"")


async def test_waiting_ends_with_the_next_change(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        tag = (await there.get(job_id)).headers["etag"]
        waiting = asyncio.create_task(there.get(job_id, prefer="wait=20", if_none_match=tag))
        await asyncio.sleep(0.3)
        await there.worker.start(job_id)
        changed_at = time.monotonic()
        reply = await waiting
        assert (reply.status_code, reply.json()["status"]) == (200, "running")
        assert reply.headers["preference-applied"] == "wait=20"
        assert time.monotonic() - changed_at < 2.0


async def test_waiting_without_a_version_ends_with_the_job(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        waiting = asyncio.create_task(there.get(job_id, prefer="wait=20"))
        await there.worker.start(job_id)
        await asyncio.sleep(1.2)
        assert not waiting.done()
        await there.worker.succeed(job_id)
        assert (await waiting).json()["status"] == "succeeded"
        began = time.monotonic()
        assert (await there.get(job_id, prefer="wait=20")).json()["status"] == "succeeded"
        assert time.monotonic() - began < 5


async def test_waiting_ends_when_its_time_is_over(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        tag = (await there.get(job_id)).headers["etag"]
        began = time.monotonic()
        assert (await there.get(job_id, prefer="wait=1", if_none_match=tag)).status_code == 304
        assert (await there.get(job_id, prefer="wait=1")).json()["status"] == "queued"
        assert 1.9 < time.monotonic() - began < 10


async def test_events_tell_every_change_and_end_with_the_job(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        async with listening(there.door.client, there.events(job_id)) as events:
            assert events.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert events.headers["cache-control"] == "no-store"
            await events.until_event("progress")
            await there.worker.start(job_id)
            await events.until_changes(2)
            await there.worker.hand_back(job_id)
            await there.worker.start(job_id, "replicate")
            await there.worker.succeed(job_id)
            await events.until_end()
        assert events.changes() == [
            ("1", "queued"), ("2", "running"), ("3", "queued"), ("4", "running"), ("5", "succeeded"),
        ]  # fmt: skip
        assert all(list(job) == SHAPE for job in events.jobs())
        assert [job["served_by"] for job in events.jobs()] == [None, "subnet", None, "replicate", "replicate"]
        assert events.jobs()[-1] == (await there.get(job_id)).json()
        assert all(event.id is None for event in events.got if event.event == "progress")


@pytest.mark.parametrize("last", [0, 1, 2, 3])
async def test_events_resume_with_the_same_changes_and_no_others(tmp_path: Path, last: int) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        async with listening(there.door.client, there.events(job_id)) as first:
            await there.worker.start(job_id)
            await there.worker.succeed(job_id)
            await first.until_end()
        async with listening(there.door.client, there.events(job_id), str(last)) as resumed:
            if last < 3:
                await resumed.until_end()
        assert resumed.jobs() == first.jobs()[last:]
        assert resumed.changes() == first.changes()[last:]
        assert resumed.status == (200 if last < 3 else 204)


async def test_events_that_end_too_early_are_resumed_while_the_job_goes_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        async with listening(there.door.client, there.events(job_id)) as first:
            await first.until_changes(1)
        await there.worker.start(job_id)
        async with listening(there.door.client, there.events(job_id), first.changes()[-1][0]) as second:
            await second.until_changes(1)
            await there.worker.succeed(job_id)
            await second.until_end()
    assert second.changes() == [("2", "running"), ("3", "succeeded")]


async def test_what_is_no_event_of_ours_resumes_from_the_start(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        async with listening(there.door.client, there.events(job_id), "not-1") as events:
            await events.until_changes(1)
        assert events.changes() == [("1", "queued")]


async def test_progress_between_changes_comes_from_the_provider(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        async with listening(there.door.client, there.events(job_id)) as events:
            queued = await events.until_event("progress")
            assert queued.data["queue_position"] == 1
            await there.worker.host(job_id, "p1")
            await there.worker.renew(job_id, 0.4)
            await events.until_changes(2)
            await eventually(lambda: events.got[-1].event == "progress" and events.got[-1].data["progress"] == 0.4)
            assert events.got[-1].data["queue_position"] is None


async def test_head_of_events_does_not_wait(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        head = await there.door.client.head(there.events(job_id))
        assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_more_listeners_than_allowed_are_sent_away(tmp_path: Path) -> None:
    async with stage(tmp_path, max_listeners=1) as there:
        job_id = await there.a_job()
        async with listening(there.door.client, there.events(job_id)) as events:
            await events.until_changes(1)
            for reply in (
                await there.door.client.get(there.events(job_id)),
                await there.get(job_id, prefer="wait=5"),
            ):
                assert_problem(reply, 503, "overloaded")
                assert int(reply.headers["retry-after"]) > 0
            assert (await there.get(job_id)).status_code == 200
            assert "spillway_job_listeners 1.0" in await there.door.metrics()

        async def let_in() -> bool:
            return (await there.get(job_id, prefer="wait=1", if_none_match='"0"')).status_code != 503

        await eventually(let_in)


async def test_queued_job_is_canceled_at_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        async with listening(there.door.client, there.events(job_id)) as events:
            await events.until_changes(1)
            reply = await there.delete(job_id)
            await events.until_end()
        assert (reply.status_code, reply.json()["status"]) == (200, "canceled")
        assert reply.json()["finished_at"]
        assert events.changes() == [("1", "queued"), ("2", "canceled")]
        again = await there.delete(job_id)
        assert (again.status_code, again.json()) == (200, reply.json())
        assert await there.worker.files.read(f"inputs/{job_id}") is None


async def test_running_job_is_canceled_under_its_workers_hands(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        held = await there.worker.start(job_id)
        assert (await there.delete(job_id)).json()["status"] == "canceled"
        with pytest.raises(Exception, match="changed meanwhile"):
            await there.worker._saved(held)
        assert (await there.get(job_id)).json()["status"] == "canceled"


async def test_finished_job_is_not_canceled_any_more(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        await there.worker.start(job_id)
        await there.worker.succeed(job_id)
        before = (await there.get(job_id)).json()
        reply = await there.delete(job_id)
        assert_problem(reply, 409, "job_over")
        assert reply.json()["job"] == before == (await there.get(job_id)).json()


BOUNDED = ROUTES.replace('pipeline = "text-to-image"', 'pipeline = "text-to-image"\nqueue_jobs = 3', 1)
SHORT = ROUTES.replace('pipeline = "text-to-image"', 'pipeline = "text-to-image"\nqueue_seconds = 9', 1)


async def test_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    async with stage(tmp_path, routes=BOUNDED) as there:
        for _ in range(3):
            await there.a_job()
        reply = await there.submit()
        assert reply.status_code == 429
        assert 1 <= int(reply.headers["retry-after"]) <= 60
        assert "3 jobs wait" in reply.json()["error"]["message"]
        assert (await there.submit("/llm", CHAT)).status_code == 202


async def test_queue_is_bounded_by_the_time_that_it_takes(tmp_path: Path) -> None:
    async with stage(tmp_path, routes=SHORT) as there:
        taken = 0
        while (reply := await there.submit(x_spillway_prefer="subnet-only")).status_code == 202:
            taken += 1
        assert (reply.status_code, 1 <= taken <= 4) == (429, True)
        assert int(reply.headers["retry-after"]) >= 1


async def test_store_that_is_away_is_said_and_nothing_is_promised(tmp_path: Path) -> None:
    async with stage(tmp_path) as there:
        job_id = await there.a_job()
        (tmp_path / "artifacts" / "jobs").rename(tmp_path / "artifacts" / "gone")
        (tmp_path / "artifacts" / "jobs").write_text("no directory any more")
        reply = await there.submit()
        assert (reply.status_code, int(reply.headers["retry-after"]) > 0) == (503, True)
        assert (await there.get(job_id)).status_code == 200


@pytest.mark.parametrize(
    ("path", "field", "rest"),
    [
        ("/text-to-image", "model_id", {"prompt": "a river"}),
        ("/v1/images/generations", "model", {"prompt": "a river"}),
        ("/llm", "model", {"messages": [{"role": "user", "content": "hello"}]}),
        ("/v1/chat/completions", "model", {"messages": [{"role": "user", "content": "hello"}]}),
    ],
)
async def test_a_name_of_a_model_that_is_a_book_is_refused(
    tmp_path: Path, path: str, field: str, rest: dict[str, Any]
) -> None:
    """It would stand in every document of its job and of its route's policy."""
    async with house(tmp_path, works=False) as there:
        replies = [
            await there.client.post(there.url + path, json={**rest, field: "m" * length}, headers=headers)
            for length in (256, 257)
            for headers in ({}, {"prefer": "respond-async"})
        ]
        assert [reply.status_code for reply in replies] == [200, 202, 400, 400]
        assert all(field in reply.json()["error"]["message"] for reply in replies[2:])
