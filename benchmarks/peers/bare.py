"""The least that Python can do: an ASGI application that passes a request on with aiohttp and looks at nothing."""

import os
from typing import Any

import aiohttp

URL = os.environ["UPSTREAM"] + "/text-to-image"
session: aiohttp.ClientSession | None = None


async def app(scope: Any, receive: Any, send: Any) -> None:
    global session  # noqa: PLW0603
    if session is None:
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    async with session.post(URL, data=body, headers={"content-type": "application/json"}) as answer:
        data = await answer.read()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
