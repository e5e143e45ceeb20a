"""Environments as Google's buildpack makes them: a function's hashed requirements and nothing else."""

from pathlib import Path

import pytest

from supply_chain import requirements


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The interpreter of each function's environment; functions with equal requirements share one."""
    return {
        name: python
        for file, names in requirements.distinct().items()
        for python in [requirements.install(file, tmp_path_factory.mktemp("environment"))]
        for name in names
    }
