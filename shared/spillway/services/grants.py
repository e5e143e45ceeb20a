"""The grants of one instance: what it may spend of a day's money, taken out of the day's books and given back."""

import asyncio
from collections.abc import Callable

from spillway.domain.budget import Account, Books, Purse, date_of
from spillway.errors import Conflict, StoreUnavailable
from spillway.ports.store import Store
from spillway.services.contention import TRIES, step_aside
from spillway.services.naming import own_name

FOLDER = "spending"
OF_KEYS = "key_spending"
KEPT_DAYS = 8


class Grants:
    """The books in the store; one call at a time. All of it raises StoreUnavailable.

    They are at `spending/2026-11-30`, or at `key_spending/2026-11-30 KEY` where they are `of` a key.

    A purse is made smaller before the books are, and larger after: so whatever becomes of a write, this instance
    never holds more than the books say.
    """

    def __init__(self, store: Store, of: str = ""):
        self._store = store
        self._folder, self._of = (OF_KEYS, f" {of}") if of else (FOLDER, "")
        self._name = ""
        self._new_books = False

    async def trade(self, day: int, purse: Purse, aim: Callable[[], int], *, idle: bool) -> None:
        """Look at the books, and have the grant that is aimed at after that look."""
        name, granted = self._named(), 0

        def change(books: Books) -> Books | None:
            nonlocal granted
            purse.see(books, name)
            granted, account = aim(), books.of(name)
            if purse.granted == account.granted == granted and not purse.to_be_told(account, idle=idle):
                return None
            purse.granted = min(purse.granted, granted)
            return books.changed(name, Account(granted, purse.spent))

        if await self._change(day, change):
            purse.granted = granted

    async def leave(self, day: int, purse: Purse) -> None:
        """Say for good what was spent, and give all the rest back."""

        def change(books: Books) -> Books | None:
            purse.granted = purse.spent
            return books.without(self._name, purse.spent) if self._name in books.accounts else None

        if self._name:
            await self._change(day, change)

    async def forget(self, today: int) -> None:
        """Remove old books, once after new ones were begun."""
        if not self._new_books:
            return
        for document in await self._store.list(self._folder):
            if document.key < date_of(today - KEPT_DAYS):
                await self._store.delete(self._folder, document.key)
        self._new_books = False

    def _named(self) -> str:
        self._name = own_name(self._name)
        return self._name

    async def _change(self, day: int, change: Callable[[Books], Books | None]) -> bool:
        """Change the books by compare-and-set; False where they may stay as they are."""
        key = date_of(day) + self._of
        clock = asyncio.get_running_loop().time
        for attempt in range(TRIES):
            began = clock()
            found = await self._store.read(self._folder, key)
            changed = change(Books.read(found.body) if found else Books())
            if changed is None:
                return False
            try:
                await self._store.replace(self._folder, key, changed.body(), found.version if found else None)
            except Conflict:
                await step_aside(attempt, clock() - began)
            else:
                self._new_books |= found is None
                return True
        raise StoreUnavailable("the day's books are changed by too many at once")
