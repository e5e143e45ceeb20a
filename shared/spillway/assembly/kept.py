"""Where redemptions and their announcements are kept."""

from dataclasses import dataclass

from spillway.assembly.state import refuse_passing_state, state_database, state_file
from spillway.ports.outbox import Outbox
from spillway.ports.redemptions import Redemptions
from spillway.settings import Settings


@dataclass(frozen=True, slots=True)
class Kept:
    """Where redemptions and their announcements are kept."""

    redemptions: Redemptions
    outbox: Outbox

    async def close(self) -> None:
        """Let go of both."""
        await self.redemptions.close()
        await self.outbox.close()


def open_kept(settings: Settings) -> Kept:
    """The stores of the settings. Raises BadSettings; nothing is opened or connected yet."""
    scheme, _, place = settings.state.partition("://")
    if scheme == "memory":
        return _in_memory()
    if scheme == "sqlite":
        refuse_passing_state(settings)
        from spillway.adapters.sqlite_outbox import SqliteOutbox  # noqa: PLC0415 (by scheme)
        from spillway.adapters.sqlite_redemptions import SqliteRedemptions  # noqa: PLC0415 (by scheme)

        return Kept(SqliteRedemptions(state_file(place)), SqliteOutbox(state_file(place)))
    from spillway.adapters.firestore_outbox import FirestoreOutbox  # noqa: PLC0415 (by scheme)
    from spillway.adapters.firestore_redemptions import FirestoreRedemptions  # noqa: PLC0415 (by scheme)

    return Kept(FirestoreRedemptions(*state_database(place)), FirestoreOutbox(*state_database(place)))


def _in_memory() -> Kept:
    from spillway.adapters.memory_outbox import MemoryOutbox  # noqa: PLC0415 (by scheme)
    from spillway.adapters.memory_redemptions import MemoryRedemptions  # noqa: PLC0415 (by scheme)

    outbox = MemoryOutbox()
    return Kept(MemoryRedemptions(outbox), outbox)
