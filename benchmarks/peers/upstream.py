"""A fast fixed upstream: what a gateway answers to /text-to-image, at once."""

import json
from typing import Any

BODY = json.dumps({"images": [{"url": "/stream/0a1b2c3d/4e5f6071.png", "seed": 1, "nsfw": False}]}).encode()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
