"""When a webhook that did not arrive is sent again: soon at first, then with growing pauses, for a day."""

FIRST_PAUSE_S, GROWTH, LONGEST_PAUSE_S = 3.0, 4.0, 3600.0
GIVEN_UP_AFTER_S = 86400.0
GONE = 410


def arrived(status: int) -> bool:
    """Whether the other side has taken it."""
    return 200 <= status < 300


def next_try(attempts: int, finished_at: float, now: float, chance: float) -> float | None:
    """When to try again after so many attempts; None when a day has passed. `chance`, 0 to 1, spreads the later ones:
    a receiver that was away is not met by all at once."""
    pause_s = min(FIRST_PAUSE_S * GROWTH ** (attempts - 1), LONGEST_PAUSE_S)
    if attempts > 1:
        pause_s *= 0.8 + 0.4 * chance
    again = now + pause_s
    return again if again <= finished_at + GIVEN_UP_AFTER_S else None
