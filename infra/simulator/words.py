"""Text for the simulated language models: the same for the same seed, counted roughly as tokens are."""

from random import Random

TEXT = """water runs over the spillway when the river is full and every turbine is busy so nothing is lost
a clear picture begins with light then shape then colour while small gears keep the quiet machine in time"""
VOCABULARY = TEXT.split()


def words(seed: object, count: int) -> list[str]:
    """So many words, each with the space before it that a tokenizer would give it."""
    chance = Random(str(seed))
    chosen = [chance.choice(VOCABULARY) for _ in range(max(1, count))]
    return [chosen[0].capitalize(), *(f" {word}" for word in chosen[1:])]


def tokens(text: str) -> int:
    """About how many tokens a text is."""
    return max(1, len(text) // 4)
