"""Fixtures that several folders of tests share, and what CI draws."""

import os

from hypothesis import settings

pytest_plugins = [
    "support.browser",
    "support.buckets",
    "support.emulators",
    "support.environments",
    "support.terraform",
]

# A landing must not depend on luck: CI draws the same examples each time, everybody else new ones. How long an example
# takes says more about the machine than about the code.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")
