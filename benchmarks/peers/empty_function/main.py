"""A function that does nothing, with the same client libraries imported: what a cold start costs anybody."""

import aiohttp  # noqa: F401
import functions_framework.aio
import httpx  # noqa: F401
import httpx_aiohttp  # noqa: F401
import pydantic_settings  # noqa: F401
import tenacity  # noqa: F401


@functions_framework.aio.http
async def function(_):
    return "ok"
