"""What the functions that Google's services call need from outside: somebody who knows a true token."""

from typing import Protocol


class Tokens(Protocol):
    """Checks the OIDC tokens that Pub/Sub and Cloud Scheduler send along."""

    async def check(self, token: str) -> None:
        """Returns where the token is true. Raises BadRequest (401, 403), or Overflow where that can't be told now."""
        ...
