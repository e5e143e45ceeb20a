"""GET /assets/{name}: style sheets and scripts of our own pages."""

from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

from spillway.errors import BadRequest

FIVE_MINUTES_S = 300
CSS, JAVASCRIPT = "text/css; charset=utf-8", "text/javascript; charset=utf-8"
ASSETS = {
    "dashboard.css": ("spillway.edge.dashboard", CSS),
    "dashboard.js": ("spillway.edge.dashboard", JAVASCRIPT),
    "gif.css": ("spillway.edge.gif", CSS),
    "gif.js": ("spillway.edge.gif", JAVASCRIPT),
}


async def asset(request: Request) -> Response:
    """Raises BadRequest (404) for what is none of them."""
    name = request.path_params["name"]
    if name not in ASSETS:
        raise BadRequest("there is no such asset", status=404, code="not_found")
    package, content_type = ASSETS[name]
    content = resources.files(package).joinpath("assets", name).read_bytes()
    headers = {
        "content-type": content_type,
        "cache-control": f"public, max-age={FIVE_MINUTES_S}",
        "x-content-type-options": "nosniff",
    }
    return Response(content, headers=headers)
