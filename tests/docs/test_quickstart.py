"""The programs of docs/quickstart.md, taken from the page and run as a newcomer runs them."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import av
import pytest
from PIL import Image

from simulator import ReplicateApi, Service, SubnetGateway, background
from support.cut import way_to
from support.front_door import ROOT, command

PAGE = (ROOT / "docs/quickstart.md").read_text()
RUNNERS = {"python": ("otter.py", sys.executable), "js": ("otter.mjs", "node"), "sh": ("otter.sh", "bash")}
NEEDED = {"python": (), "js": ("node",), "sh": ("bash", "curl", "jq")}
QUICK = {"text-to-image": Service(0.1), "image-to-video": Service(0.5)}


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Before a subnet with slots."""
    with front_door(SubnetGateway(slots=4, service=QUICK), tmp_path_factory.mktemp("free")) as url:
        yield url


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Before a subnet without any, with hosted inference to fall back on."""
    with front_door(SubnetGateway(slots=0), tmp_path_factory.mktemp("full")) as url:
        yield url


@contextmanager
def front_door(subnet: SubnetGateway, folder: Path) -> Iterator[str]:
    replicate = ReplicateApi(service_s=1.5, cold_start_s=0)
    with (
        background(subnet, replicate),
        command(
            SPILLWAY_SUBNET_URL=subnet.url,
            SPILLWAY_REPLICATE_URL=replicate.url,
            REPLICATE_API_TOKEN=replicate.token,
            SPILLWAY_ARTIFACTS=f"file://{folder}/artifacts",
            SPILLWAY_STATE=f"sqlite:///{folder}/state.db",
        ) as url,
    ):
        yield url


@pytest.fixture(params=RUNNERS)
def language(request: pytest.FixtureRequest) -> str:
    for tool in NEEDED[request.param]:
        if shutil.which(tool) is None:
            missing = f"there is no {tool}"
            pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    return str(request.param)


async def test_program_makes_a_gif(free: str, language: str, tmp_path: Path) -> None:
    async with running(language, free, tmp_path) as program:
        said = await ended(program)
    assert made(said) == ["text-to-image by subnet", "image-to-video by subnet"]
    assert is_video_and_gif(tmp_path)


async def test_program_goes_on_after_its_line_was_cut(full: str, language: str, tmp_path: Path) -> None:
    async with (
        way_to(full.removeprefix("http://")) as way,
        running(language, f"http://{way.address}", tmp_path) as program,
    ):
        said = await until(program, "text-to-image by replicate")
        said += await until(program, "running")
        way.cut()
        await asyncio.sleep(0.5)
        way.mend()
        said += await ended(program)
    assert made(said) == ["text-to-image by replicate", "image-to-video by replicate"]
    assert is_video_and_gif(tmp_path)


@asynccontextmanager
async def running(language: str, url: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The page's program in this folder; what it says comes out of one pipe."""
    file, runner = RUNNERS[language]
    [text] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (folder / file).write_text(text)
    process = await asyncio.create_subprocess_exec(
        runner,
        file,
        cwd=folder,
        env={**os.environ, "URL": url, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(process: asyncio.subprocess.Process, words: str) -> str:
    """What it says up to the line with these words."""
    said = ""
    async with asyncio.timeout(60):
        while words not in said:
            assert process.stdout is not None
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
    return said


async def ended(process: asyncio.subprocess.Process) -> str:
    """The rest of what it says; it must have done all."""
    async with asyncio.timeout(60):
        said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    return said


def made(said: str) -> list[str]:
    return re.findall(r"^[a-z-]+ by [a-z]+$", said, re.MULTILINE)


def is_video_and_gif(folder: Path) -> bool:
    with av.open(str(folder / "otter.mp4")) as clip, Image.open(folder / "otter.gif") as gif:
        return sum(1 for _ in clip.decode(video=0)) > 1 and gif.format == "GIF" and getattr(gif, "n_frames", 1) > 1
