"""Jobs from their caller's first word to the last, through all that may befall their backends."""

import asyncio
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from faults.house import MESSAGES, ROUTES, House, house
from simulator import Fault, OpenAiApi, ReplicateApi, Service, SubnetGateway
from support.waiting import eventually

PICTURE = {"prompt": "a river", "width": 128, "height": 128}
SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSBob29rcyBvZiByZXBsaWNhdGU="
DOWN = Fault("error")
REPLICATE_ALONE = "\n".join(
    [
        ROUTES.partition("[[routes.fallbacks]]")[0],
        "[[routes.fallbacks]]",
        ROUTES.split("[[routes.fallbacks]]")[2].partition("[[routes]]")[0],
    ]
)


async def submit(there: House, body: Mapping[str, Any] = PICTURE, path: str = "/text-to-image", **headers: str) -> str:
    """A job's id, once it is taken in."""
    sent = {"prefer": "respond-async", **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = await there.client.post(f"{there.url}{path}", json=body, headers=sent)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def look(there: House, job_id: str) -> dict[str, Any]:
    """A job as it is."""
    return (await there.client.get(f"{there.url}/jobs/{job_id}")).json()


async def is_now(there: House, job_id: str, status: str) -> bool:
    return (await look(there, job_id))["status"] == status


async def ended(there: House, job_id: str, within_s: float = 20.0) -> dict[str, Any]:
    """A job at its end."""
    async with asyncio.timeout(within_s):
        while (job := await look(there, job_id))["status"] in ("queued", "running"):
            await asyncio.sleep(0.05)
    return job


async def assert_whole(there: House, job: dict[str, Any], served_by: str, count: int = 1) -> None:
    """It has succeeded, and its pictures decode."""
    assert (job["status"], job["served_by"], job["error"]) == ("succeeded", served_by, None), job
    assert len(job["result"]["images"]) == count
    for picture in job["result"]["images"]:
        assert picture["url"].startswith(f"{there.url}/artifacts/")
        Image.open(io.BytesIO((await there.client.get(picture["url"])).content)).load()


async def test_the_subnet_does_a_job(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        await assert_whole(there, await ended(there, await submit(there)), "subnet")
        assert (await there.stats())["total"]["subnet"] == 1


async def test_a_burst_over_the_subnets_capacity_is_worked_off_there(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=2, service={"text-to-image": Service(0.1)}, refusal_s=0.05)
    async with house(tmp_path, subnet=subnet) as there:
        await assert_whole(there, await ended(there, await submit(there)), "subnet")
        jobs = [await submit(there) for _ in range(12)]
        done = [await ended(there, one) for one in jobs]
        assert [job["status"] for job in done] == ["succeeded"] * 12
        # Until the policy has learned how many slots there are, a job may be refused too often.
        assert sum(job["served_by"] == "subnet" for job in done) >= 8


async def test_what_the_subnet_can_not_do_a_provider_does(tmp_path: Path) -> None:
    async with house(tmp_path, subnet=SubnetGateway(faults=[DOWN])) as there:
        await assert_whole(there, await ended(there, await submit(there)), "hosted")


async def test_a_prediction_is_started_once_and_shows_how_far_it_is(tmp_path: Path) -> None:
    replicate = ReplicateApi(service_s=1.0)
    async with house(tmp_path, routes=REPLICATE_ALONE, replicate=replicate) as there:
        job_id = await submit(there, x_spillway_prefer="fallback-only")
        shown: list[float] = []
        async with asyncio.timeout(15.0):
            while (job := await look(there, job_id))["status"] in ("queued", "running"):
                shown.append(job["progress"])
                await asyncio.sleep(0.05)
        await assert_whole(there, job, "replicate")
        assert (shown == sorted(shown), 0.5 in shown) == (True, True), shown
        assert sum(replicate.created.values()) == 1


async def test_more_pictures_than_a_prediction_gives_come_in_one_result(tmp_path: Path) -> None:
    async with house(tmp_path, routes=REPLICATE_ALONE) as there:
        job_id = await submit(there, {**PICTURE, "num_images_per_prompt": 6}, x_spillway_prefer="fallback-only")
        job = await ended(there, job_id)
        await assert_whole(there, job, "replicate", 6)
        assert sum(there.replicate.created.values()) == 2


async def test_a_video_is_made_of_an_uploaded_picture(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(picture, "PNG")
    async with house(tmp_path) as there:
        answer = await there.client.post(
            f"{there.url}/image-to-video",
            files={"image": ("a.png", picture.getvalue(), "image/png")},
            headers={"prefer": "respond-async"},
        )
        assert answer.status_code == 202, answer.text
        job = await ended(there, answer.json()["id"])
        assert (job["status"], job["served_by"]) == ("succeeded", "subnet"), job


async def test_the_next_fallback_takes_what_the_first_has_failed(tmp_path: Path) -> None:
    hosted = OpenAiApi(service_s=0.05, faults=[Fault("error")])
    async with house(tmp_path, subnet=SubnetGateway(faults=[DOWN]), hosted=hosted) as there:
        await assert_whole(there, await ended(there, await submit(there)), "replicate")


async def test_a_job_that_its_provider_refuses_has_failed_with_the_reason(tmp_path: Path) -> None:
    replicate = ReplicateApi(service_s=0.05, faults=[Fault("nsfw")])
    async with house(tmp_path, routes=REPLICATE_ALONE, replicate=replicate) as there:
        job = await ended(there, await submit(there, x_spillway_prefer="fallback-only"))
        assert (job["status"], job["error"]["code"]) == ("failed", "content_refused")
        assert sum(replicate.created.values()) == 1


async def test_a_failure_that_passes_is_outlived(tmp_path: Path) -> None:
    replicate = ReplicateApi(service_s=0.05, faults=[Fault("failed", times=1)])
    async with house(tmp_path, routes=REPLICATE_ALONE, replicate=replicate) as there:
        job = await ended(there, await submit(there, x_spillway_prefer="fallback-only"))
        await assert_whole(there, job, "replicate")
        assert sum(replicate.created.values()) == 2


async def test_a_job_that_waits_too_long_goes_to_a_provider(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=1, service={"text-to-image": Service(30.0)}, refusal_s=0.05)
    routes = ROUTES.replace("deadline = {deadline}", "deadline = {deadline}\nqueue_limit = 1.0", 1)
    async with house(tmp_path, subnet=subnet, routes=routes, subnet_timeout=40.0, deadline=60.0) as there:
        jobs = [await submit(there) for _ in range(6)]
        for job in await asyncio.gather(*(ended(there, one) for one in jobs[-3:])):
            await assert_whole(there, job, "hosted")
        for one in jobs:
            await there.client.delete(f"{there.url}/jobs/{one}")


async def test_who_wants_the_subnet_alone_waits_for_it(tmp_path: Path) -> None:
    subnet = SubnetGateway(slots=1, service={"text-to-image": Service(0.3)}, refusal_s=0.05)
    routes = ROUTES.replace("deadline = {deadline}", "deadline = {deadline}\nqueue_limit = 0", 1)
    async with house(tmp_path, subnet=subnet, routes=routes) as there:
        for one in [await submit(there, x_spillway_prefer="subnet-only") for _ in range(5)]:
            await assert_whole(there, await ended(there, one), "subnet")


async def test_the_subnet_is_the_last_resort_of_who_prefers_a_provider(tmp_path: Path) -> None:
    broken = {
        "hosted": OpenAiApi(service_s=0.05, faults=[DOWN]),
        "replicate": ReplicateApi(service_s=0.05, faults=[DOWN]),
    }
    async with house(tmp_path, **broken) as there:
        job = await ended(there, await submit(there, x_spillway_prefer="fallback"))
        await assert_whole(there, job, "subnet")


@pytest.mark.parametrize(
    ("prefer", "status", "served_by"), [("auto", "succeeded", "replicate"), ("subnet-only", "failed", "")]
)
async def test_what_is_too_long_goes_to_a_larger_window_alone(
    tmp_path: Path, prefer: str, status: str, served_by: str
) -> None:
    too_long = Fault("status", status=400, message="This model's maximum context length is 8192 tokens.")
    async with house(
        tmp_path,
        subnet=SubnetGateway(faults=[too_long]),
        window="context_tokens = 8192",
        larger="context_tokens = 128000",
    ) as there:
        job = await ended(there, await submit(there, {"messages": MESSAGES}, "/llm", x_spillway_prefer=prefer))
        assert (job["status"], there.hosted.counters.tries) == (status, 0), job
        if status == "succeeded":
            assert (job["served_by"], job["result"]["choices"][0]["finish_reason"]) == (served_by, "stop")
        else:
            assert job["error"]["code"] == "context_length_exceeded"


async def test_once_the_days_money_is_spent_jobs_wait_for_the_next(tmp_path: Path) -> None:
    async with house(tmp_path, routes=REPLICATE_ALONE, fallback_usd_per_day=0.004) as there:
        first = await submit(there, x_spillway_prefer="fallback-only")
        await assert_whole(there, await ended(there, first), "replicate")
        second = await submit(there, x_spillway_prefer="fallback-only")
        await asyncio.sleep(1.5)
        job = await look(there, second)
        assert (job["status"], sum(there.replicate.created.values())) == ("queued", 1)
        assert job["eta_seconds"] > 60


async def test_what_is_canceled_is_canceled_at_the_provider_too(tmp_path: Path) -> None:
    replicate = ReplicateApi(service_s=30.0)
    async with house(tmp_path, routes=REPLICATE_ALONE, replicate=replicate) as there:
        job_id = await submit(there, x_spillway_prefer="fallback-only")
        await eventually(lambda: is_now(there, job_id, "running"))
        answer = await there.client.delete(f"{there.url}/jobs/{job_id}")
        assert answer.json()["status"] == "canceled"
        await eventually(lambda: replicate.ended["canceled"] == 1)


async def test_a_webhook_of_the_provider_saves_waiting_for_the_next_look(tmp_path: Path) -> None:
    replicate = ReplicateApi(service_s=3.0)
    replicate.webhooks.key = SECRET
    async with house(
        tmp_path, routes=REPLICATE_ALONE, replicate=replicate, replicate_webhook_secret=SECRET, allow_private_urls=True
    ) as there:
        job = await ended(there, await submit(there, x_spillway_prefer="fallback-only"))
        await assert_whole(there, job, "replicate")
        told = [(one.event, one.status) for one in replicate.webhooks.deliveries]
        assert told == [("start", 204), ("completed", 204)]


@pytest.mark.parametrize("kind", ["webhook_lost", "webhook_twice"])
async def test_webhooks_may_be_lost_or_come_twice(tmp_path: Path, kind: Any) -> None:
    replicate = ReplicateApi(service_s=0.3, faults=[Fault(kind)])
    replicate.webhooks.key = SECRET
    async with house(
        tmp_path, routes=REPLICATE_ALONE, replicate=replicate, replicate_webhook_secret=SECRET, allow_private_urls=True
    ) as there:
        job = await ended(there, await submit(there, x_spillway_prefer="fallback-only"))
        await assert_whole(there, job, "replicate")
        assert sum(replicate.created.values()) == 1


async def test_a_start_whose_answer_is_cut_is_found_by_its_webhook_and_not_paid_twice(tmp_path: Path) -> None:
    replicate = ReplicateApi(service_s=1.0, faults=[Fault("cut", "/v1/models", times=1, method="POST")])
    replicate.webhooks.key = SECRET
    async with house(
        tmp_path, routes=REPLICATE_ALONE, replicate=replicate, replicate_webhook_secret=SECRET, allow_private_urls=True
    ) as there:
        job = await ended(there, await submit(there, x_spillway_prefer="fallback-only"))
        await assert_whole(there, job, "replicate")
        assert sum(replicate.created.values()) == 1


async def test_a_provider_that_has_no_room_is_not_paid(tmp_path: Path) -> None:
    replicate = ReplicateApi(service_s=0.1, faults=[Fault("status", "/v1/models", status=429, times=1, method="POST")])
    async with house(tmp_path, routes=REPLICATE_ALONE, replicate=replicate, fallback_usd_per_day=0.004) as there:
        job = await ended(there, await submit(there, x_spillway_prefer="fallback-only"))
        await assert_whole(there, job, "replicate")
        assert (await there.stats())["total"]["fallback_usd"] == pytest.approx(0.003)


async def test_what_a_store_that_was_away_kept_from_ending_ends_when_it_is_back(tmp_path: Path) -> None:
    """The directory of files can't be written: the prediction is found again, and not made anew."""
    replicate = ReplicateApi(service_s=0.5)
    async with house(tmp_path, routes=REPLICATE_ALONE, replicate=replicate) as there:
        job_id = await submit(there, x_spillway_prefer="fallback-only")
        results = next(tmp_path.rglob("inputs")).parent / "results"
        results.write_text("in the way")
        await asyncio.sleep(1.5)
        assert (await look(there, job_id))["status"] == "queued"
        results.unlink()
        job = await ended(there, job_id, 30.0)
        await assert_whole(there, job, "replicate")
        assert sum(replicate.created.values()) == 1


async def test_a_paid_picture_that_could_not_be_fetched_is_fetched_again(tmp_path: Path) -> None:
    lost = Fault("missing_media", "/files", times=1)
    replicate = ReplicateApi(service_s=0.1, faults=[lost])
    async with house(tmp_path, routes=REPLICATE_ALONE, replicate=replicate) as there:
        job = await ended(there, await submit(there, x_spillway_prefer="fallback-only"))
        await assert_whole(there, job, "replicate")
        assert (replicate.faults.struck(lost), sum(replicate.created.values())) == (1, 1)
