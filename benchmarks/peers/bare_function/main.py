"""The bare pass-through as a function."""

import sys
from pathlib import Path

import functions_framework.aio

sys.path.append(str(Path(__file__).parents[1]))

from bare import app


@functions_framework.aio.http
async def function(_):
    return app
