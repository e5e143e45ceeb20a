"""What must change of the stored redemptions of a range, so that they are those of the chain.

As a rule that is nothing but the new ones. After a reorganisation a transaction can be in another block, under
another log index or gone.
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from spillway.domain.redemptions import Redemption


@dataclass(frozen=True, slots=True)
class Change:
    """A redemption as it is to be stored over that of revision `over`, None where there is none under its key.

    `before` is what was known of the same winning ticket, None for a new one; `told` whether others must hear of it.
    """

    after: Redemption
    over: int | None
    before: Redemption | None = None
    told: bool = True


def missing(stored: Sequence[Redemption], found: Sequence[Redemption]) -> list[Redemption]:
    """What is stored of a range and not found there any more."""
    keys = {one.key for one in found}
    return [one for one in stored if one.status != "removed" and one.key not in keys]


def changes(gone: Sequence[Redemption], known: Mapping[str, Redemption], found: Sequence[Redemption]) -> list[Change]:
    """What to write, in the chain's order; `gone` are `missing`, `known` those stored with the keys of `found`."""
    left: defaultdict[str, deque[Redemption]] = defaultdict(deque)
    for one in gone:
        left[one.tx_hash].append(one)
    result = []
    for one in found:
        before = known.get(one.key)
        if before is not None:
            result += _again(before, one)
        elif left[one.tx_hash]:
            result += _moved(left[one.tx_hash].popleft(), one)
        else:
            result.append(Change(one, None))
    result += [_removed(one) for rest in left.values() for one in rest]
    return sorted(result, key=lambda change: change.after.order)


def _again(before: Redemption, found: Redemption) -> list[Change]:
    """Found under its key. A block that was replaced by one that tells the same is nothing to tell."""
    was = replace(before, status=found.status, revision=found.revision, decorations=found.decorations)
    if was == found and before.status != "removed":
        return []
    after = _next(before, found)
    if replace(was, block_hash=found.block_hash) == found and before.status != "removed":
        return [Change(replace(after, status=before.status), before.revision, before, told=False)]
    return [Change(after, before.revision, before)]


def _moved(before: Redemption, found: Redemption) -> list[Change]:
    """Found in the same transaction under another key."""
    return [
        Change(_removed(before).after, before.revision, before, told=False),
        Change(_next(before, found), None, before),
    ]


def _removed(before: Redemption) -> Change:
    return Change(before.changed(status="removed"), before.revision, before)


def _next(before: Redemption, found: Redemption) -> Redemption:
    decorations = before.decorations if found.decorations.missing else found.decorations
    return replace(found, status="corrected", revision=before.revision + 1, decorations=decorations)
