"""What people ask for on a day of the GIF competition: 192 pictures and, of 119 of them, videos.

The day is folded into 20 simulated minutes, so it is denser than it was.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

PICTURES, VIDEOS = 192, 119
DAY_S = 1200.0
BUSIEST_HOUR = 19.0
SWING = 0.75
LARGEST_BATCH = 5
BETWEEN_PROMPTS_S = (1.0, 8.0)
BEFORE_VIDEO_S = (10.0, 45.0)
THINGS = ("an otter", "a lighthouse", "a paper boat", "a fox in a raincoat", "a tiny astronaut", "a brass robot")
SCENES = ("riding a wave", "dancing in the rain", "under northern lights", "in a neon alley", "made of stained glass")
SEED = 2028
NAMES = ("Ada", "Grace", "Linus", "Margaret", "Alan", "Barbara", "Ken", "Radia")
ONE_SHOWN_OF = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """What one entrant wants, at which second of the day; no `video_at_s` where the picture is enough.

    With the name `by` the video's GIF is entered for the gallery.
    """

    at_s: float
    prompt: str
    video_at_s: float | None = None
    by: str | None = None


def a_day(seed: int = SEED) -> list[Entry]:
    """Everything that is asked for in a day, in the order of coming."""
    chance = Random(seed)
    moments = sorted(_moments(chance))
    animated = chance.sample(range(PICTURES), VIDEOS)
    shown = animated[::ONE_SHOWN_OF]
    return [
        Entry(
            at_s,
            f"{chance.choice(THINGS)} {chance.choice(SCENES)}",
            at_s + chance.uniform(*BEFORE_VIDEO_S) if index in animated else None,
            NAMES[index % len(NAMES)] if index in shown else None,
        )
        for index, at_s in enumerate(moments)
    ]


def _moments(chance: Random) -> Iterator[float]:
    """People come by the hour of the day, and most try a few prompts in a row."""
    left = PICTURES
    while left:
        batch = min(left, chance.randint(1, LARGEST_BATCH))
        left -= batch
        at_s = _arrival(chance)
        for _ in range(batch):
            yield min(at_s, DAY_S)
            at_s += chance.uniform(*BETWEEN_PROMPTS_S)


def _arrival(chance: Random) -> float:
    """A moment of the day, by rejection under the curve of its hours."""
    while True:
        at_s = chance.uniform(0.0, DAY_S)
        height = 1.0 + SWING * math.cos(math.tau * (at_s / DAY_S - BUSIEST_HOUR / 24))
        if chance.uniform(0.0, 1.0 + SWING) < height:
            return at_s
