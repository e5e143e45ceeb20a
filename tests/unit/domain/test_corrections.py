"""What changes of the stored redemptions after a reorganisation."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from spillway.domain.corrections import Change, changes, missing
from spillway.domain.redemptions import Decorations, Redemption
from support.redemptions import block_hash, made


def changed(stored: list[Redemption], found: list[Redemption]) -> list[Change]:
    known = {one.key: one for one in stored if one.key in {other.key for other in found}}
    return changes(missing(stored, found), known, found)


def after(stored: list[Redemption], found: list[Redemption]) -> list[Redemption]:
    """What is stored once the changes are made, each over what it says."""
    kept = {one.key: one for one in stored}
    for change in changed(stored, found):
        before = kept.get(change.after.key)
        assert (before.revision if before else None) == change.over
        kept[change.after.key] = change.after
    return sorted(kept.values(), key=lambda one: one.order)


def test_new_redemptions_are_new() -> None:
    assert changed([], [made(1), made(2)]) == [Change(made(1), None), Change(made(2), None)]


def test_what_is_known_is_nothing_to_write() -> None:
    told = replace(made(2), decorations=Decorations("orch.example"))
    assert changed([made(1), told], [made(1), made(2)]) == []


def test_what_is_gone_is_removed() -> None:
    [change] = changed([made(1)], [])
    assert (change.after.status, change.after.revision, change.over, change.before) == ("removed", 1, 0, made(1))


def test_what_was_removed_before_is_not_removed_again() -> None:
    assert changed([made(1).changed(status="removed")], []) == []


def test_same_key_in_another_block_is_corrected_and_keeps_its_decorations() -> None:
    told = replace(made(1), decorations=Decorations("orch.example"))
    elsewhere = replace(made(1), block_number=3, block_hash=block_hash(3, "b"), timestamp=made(3).timestamp)
    [change] = changed([told], [elsewhere])
    assert change == Change(
        replace(elsewhere, status="corrected", revision=1, decorations=told.decorations), 0, told, told=True
    )


def test_other_log_index_in_the_same_transaction_is_the_same_ticket() -> None:
    moved = replace(made(1), log_index=8, block_hash=block_hash(1, "b"))
    removal, correction = sorted(changed([made(1)], [moved]), key=lambda change: change.told)
    assert (removal.after.status, removal.told) == ("removed", False)
    assert (correction.after.status, correction.over, correction.before) == ("corrected", None, made(1))
    assert correction.after.revision == 1


def test_block_of_another_hash_that_tells_the_same_is_written_quietly() -> None:
    again = replace(made(1), block_hash=block_hash(1, "b"))
    [change] = changed([made(1)], [again])
    assert (change.after.status, change.after.block_hash, change.told) == ("final", again.block_hash, False)


def test_what_comes_back_is_corrected() -> None:
    [change] = changed([made(1).changed(status="removed")], [made(1)])
    assert (change.after.status, change.after.revision, change.told) == ("corrected", 2, True)


ONES = st.builds(
    lambda number, index, branch: replace(
        made(1, index), block_number=number, block_hash=block_hash(number, branch), timestamp=made(number).timestamp
    ),
    st.integers(1, 3), st.sampled_from([1, 2, 101, 201]), st.sampled_from("ab"),
)  # fmt: skip
CHAINS = st.lists(ONES, max_size=5, unique_by=lambda one: one.key)


@given(st.lists(CHAINS, min_size=1, max_size=6))
def test_after_any_reorganisations_the_store_is_the_chain(chains: list[list[Redemption]]) -> None:
    stored: list[Redemption] = []
    for chain in chains:
        stored = after(stored, chain)
        live = [(one.key, one.block_number, one.block_hash) for one in stored if one.status != "removed"]
        assert sorted(live) == sorted((one.key, one.block_number, one.block_hash) for one in chain)
        assert changed(stored, chain) == []
