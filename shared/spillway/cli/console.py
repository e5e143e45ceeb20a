"""Where people read."""

from rich.console import Console


def plain() -> Console:
    """For what strangers chose, such as names: nothing in it is a style."""
    return Console(markup=False, emoji=False)
