"""The command line: thin commands over the same assembly as the functions."""

from spillway.cli.main import main

__all__ = ["main"]
