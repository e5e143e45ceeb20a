"""`spillway demo`."""


def demo() -> None:
    """x"""
