"""The front door with its results in Cloud Storage."""

from pathlib import Path

import pytest

from faults.house import house
from simulator import StorageApi


async def test_pictures_come_out_of_the_bucket_whole_and_in_parts(tmp_path: Path, storage: StorageApi) -> None:
    async with house(tmp_path, artifacts=f"gs://{storage.bucket.name}") as here:
        answer = await here.client.post(f"{here.url}/text-to-image", json={"prompt": "a lighthouse"})
        url = answer.json()["images"][0]["url"]
        [stored] = storage.bucket.objects.values()
        assert url == f"{here.url}/{stored.name}"
        whole = await here.client.get(url)
        assert (whole.status_code, whole.content) == (200, stored.data)
        assert whole.headers["content-type"] == stored.properties["contentType"]
        part = await here.client.get(url, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, stored.data[10:20])
        same = await here.client.get(url, headers={"If-None-Match": whole.headers["etag"]})
        assert same.status_code == 304


@pytest.mark.parametrize("key", ["0" * 64 + ".png", "..%2Finputs%2F1", "inputs%2F1"])
async def test_nothing_else_comes_out_of_the_bucket(tmp_path: Path, storage: StorageApi, key: str) -> None:
    storage.bucket.put({"name": "inputs/1"}, b"private", {})
    async with house(tmp_path, artifacts=f"gs://{storage.bucket.name}") as here:
        assert (await here.client.get(f"{here.url}/artifacts/{key}")).status_code == 404
