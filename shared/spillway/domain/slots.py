"""What is believed about the slots of the subnet: a probability for each number of slots, learned from tries alone.

The gateway tells no number. But a try that is refused says that all slots were held by the tries that were open
before it; a try that gets a slot says that there are at least as many as tries were open beside it and did not end;
and a full subnet works off its jobs no faster than its slots allow. These are the observations of a hidden Markov
model: in between, slots come and go one by one, and now and then their number jumps, most likely to one that it had
before. How lively it is is learned too: four ways to change are weighed by how well each foretells what is seen.
"""

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from operator import mul

from spillway.domain.drifts import DRIFTS, IN_A_CROWD, UNSETTLED, moved

SMALLEST, LARGEST, MORE = 24, 512, 16
OFFSET, POWER = 4.0, 1.5
NONE = 0.15
MEMORY_S = 1800.0
REMEMBER_S = 1.0
FRESH = 0.2
"""The part of a jump that goes to any number rather than to one that was seen before."""
FORGET, FORGET_S = 0.01, 600.0
"""How much the ways to change are evened out, so that none is ever ruled out: at each observation at most, and the
seconds in which they are forgotten where observations are dense."""
SIGN_OF_LIFE = 0.02
CALM = 0.1
"""What exploring the calmest network is worth beside the liveliest."""
TINY = 1e-300
KNOWN = 1e-3
MOMENT_S = 0.05
"""Time shorter than this is not worth reckoning with."""
NOTABLE = 0.05
"""A change that is less probable than this is reckoned later, together with what follows: a calm network's belief need
not be moved at each event."""
SILENCE = 12.0
"""How much one silence tells at most, as the logarithm of a ratio: tries that hang may say nothing of slots."""

Probabilities = list[float]


class SlotBelief:
    """Probabilities of 0, 1, 2 … slots (`p`), at the time of the last `advance`."""

    def __init__(self) -> None:
        self._at = self._remembered_at = self._learned_at = -math.inf
        self._seen = _prior(SMALLEST)
        self._targets = _targets(self._seen)
        self.weights = list(UNSETTLED)
        self._each = [_prior(SMALLEST) for _ in DRIFTS]
        self._moved_at = [-math.inf for _ in DRIFTS]
        self.p = _prior(SMALLEST)

    @property
    def liveliness(self) -> float:
        """What exploring is worth beside the liveliest network, `CALM` to 1."""
        return max(CALM, math.pow(1.0 - self.weights[0], 1.5))

    def mean(self) -> float:
        """The expected number of slots."""
        return float(sum(map(mul, self.p, itertools.count())))

    def median(self) -> int:
        """Of the number of slots."""
        return next((slots for slots, sum_ in enumerate(itertools.accumulate(self.p)) if sum_ >= 0.5), len(self.p) - 1)

    def more_than(self, slots: int) -> float:
        """The probability that there are more slots."""
        return sum(self.p[slots + 1 :])

    def advance(self, now: float) -> None:
        """What was known fades. A clock that stands still or goes back changes nothing."""
        if now - self._at < MOMENT_S:
            return
        if self._at == -math.inf:
            self._moved_at = [now] * len(DRIFTS)
        self._at = now
        due = [place for place, drift in enumerate(DRIFTS) if (now - self._moved_at[place]) * drift.rate >= NOTABLE]
        for place in due:
            seconds, self._moved_at[place] = now - self._moved_at[place], now
            self._each[place] = moved(self._each[place], DRIFTS[place], seconds, self._targets)
        if due:
            self._mix()

    def refused(self, older: int, spurious: float) -> float:
        """A try was turned away while `older` tries were open; gives how probable it is that it was for want of a slot.

        `spurious` is how often a try is turned away although a slot is free.
        """
        full = math.fsum(self.p[: older + 1])
        self._learn([1.0 if slots <= older else spurious for slots in range(len(self.p))])
        return min(1.0, full / max(TINY, full + spurious * (1.0 - full)))

    def admitted(self, others: int, freed: int, slip: float) -> None:
        """A try that began beside `others` got a slot, after `freed` of them were seen to leave theirs.

        `slip` is how probable it is that one more slot came free unseen.
        """
        self.make_room(others + 1)
        least = others + 1 - freed
        if self._surely(least):
            return
        self._learn([slip ** (least - slots) if slots < least else 1.0 for slots in range(len(self.p))])

    def in_a_crowd(self, chances: Probabilities, likelihood: Probabilities) -> float:
        """It is known what became of a try while other instances tried as well; gives the risk that it ran.

        `chances` are those to get a slot with 0, 1, 2 … slots, `likelihood` how probable with each of them was what
        became of it. Several refusals in a row are one crowd rather than a restless subnet: how lively it is is not
        learned.
        """
        risk = max(0.0, 1.0 - float(sum(map(mul, self.p, chances))))
        self._learn(likelihood)
        self.weights = list(IN_A_CROWD)
        self._mix()
        return risk

    def worked(self, open_tries: int, jobs: float, *, served: int) -> None:
        """Tries were open for the time of so many `jobs`, in which some of them were served.

        Of a Poisson process whose rate is the number of tries that can be worked on at a time.
        """
        self.make_room(open_tries)
        if not self._surely(open_tries):
            jobs = min(jobs, SILENCE / open_tries)
            likelihood = [math.exp(missing * jobs) for missing in range(open_tries, 0, -1)]
            if served:
                likelihood = [like * (max(slots, 0.02) / open_tries) ** served for slots, like in enumerate(likelihood)]
            self._learn([*likelihood, *([1.0] * (len(self.p) - open_tries))])

    def alive(self) -> None:
        """A try was served: there is hardly no slot at all."""
        if not self._surely(1):
            self._learn([SIGN_OF_LIFE, *([1.0] * (len(self.p) - 1))])

    def unsettle(self) -> None:
        """The network has changed so much that how lively it is is anybody's guess again."""
        self.weights = list(UNSETTLED)
        self._mix()

    def lean(self, towards: Sequence[float], part: float) -> None:
        """Take up a part of what others believe: probabilities that add up to one."""
        self._grow(len(towards))
        others = _normal([*towards[: len(self.p)], *([0.0] * (len(self.p) - len(towards)))])
        self._each = [[(1 - part) * a + part * b for a, b in zip(p, others, strict=True)] for p in self._each]
        self._mix()

    def expect(self, slots: int) -> None:
        """Somebody who should know tells a number: half of the belief moves around it."""
        self.make_room(slots)
        told = min(slots, len(self.p) - 1)
        self.lean([0.6 ** abs(told - other) for other in range(len(self.p))], 0.5)

    def _surely(self, slots: int) -> bool:
        """Whether it is known well enough that there are at least so many slots: then nothing is to be learned."""
        return sum(self.p[: max(0, slots)]) < KNOWN

    def _learn(self, likelihood: Probabilities) -> None:
        totals = []
        for place, p in enumerate(self._each):
            raw = list(map(mul, p, likelihood))
            total = sum(raw)
            totals.append(total)
            if total > TINY:
                self._each[place] = [one / total for one in raw]
        whole = sum(map(mul, self.weights, totals))
        if whole > TINY:
            part = min(FORGET, max(0.0, self._at - self._learned_at) / FORGET_S)
            self._learned_at = self._at
            even = part / len(totals)
            self.weights = [even + (1 - part) * w * t / whole for w, t in zip(self.weights, totals, strict=True)]
        self._mix()
        self._remember()

    def _remember(self) -> None:
        """Numbers that are seen again and again are where a jump most likely goes to."""
        since = self._at - self._remembered_at
        if since < REMEMBER_S:
            return
        weight = min(0.05, max(0.004, since / MEMORY_S))
        self._remembered_at = self._at
        self._seen = [seen + weight * (p - seen) for seen, p in zip(self._seen, self.p, strict=True)]
        self._targets = _targets(self._seen)

    def _mix(self) -> None:
        calm, lively, wild, restless = self._each
        a, b, c, d = self.weights
        self.p = [a * w + b * x + c * y + d * z for w, x, y, z in zip(calm, lively, wild, restless, strict=True)]

    def make_room(self, slots: int) -> None:
        """See to it that so many slots, and some more, have a probability."""
        self._grow(1.5 * slots + 8)

    def _grow(self, least: float) -> None:
        size = len(self.p)
        while size < min(least, LARGEST):
            size += MORE
        more = size - len(self.p)
        if more > 0:
            tail = [_tail(slots) / _tail(size - more - 1) for slots in range(size - more, size)]
            self._each = [_normal([*p, *(p[-1] * part for part in tail)]) for p in self._each]
            self._seen = _normal([*self._seen, *(self._seen[-1] * part for part in tail)])
            self._targets = _targets(self._seen)
            self._mix()


@lru_cache
def _prior(size: int) -> Probabilities:
    """Before anything was seen; nobody changes it."""
    return _normal([NONE * _tail(1) * 6, *(_tail(slots) for slots in range(1, size))])


def _tail(slots: int) -> float:
    """A prior without a scale: a network that holds n tries holds twice as many as likely as not."""
    return float((slots + OFFSET) ** -POWER)


def _targets(seen: Probabilities) -> Probabilities:
    """Where a jump goes to."""
    return [(1 - FRESH) * a + FRESH * b for a, b in zip(seen, _prior(len(seen)), strict=True)]


def _normal(raw: Probabilities) -> Probabilities:
    total = sum(raw)
    return [one / total for one in raw]
