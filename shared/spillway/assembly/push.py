"""Puts the door together through which Google's own services call functions."""

from spillway.edge.push import Door
from spillway.settings import Settings


def push_door(settings: Settings) -> Door:
    """Asks for tokens where SPILLWAY_PUSH_AUDIENCE is set. Nothing is connected yet."""
    if settings.push_audience is None:
        return Door(None)
    from spillway.adapters.google_tokens import GoogleTokens  # noqa: PLC0415 (only where tokens are checked)
    from spillway.adapters.http import HttpPool  # noqa: PLC0415 (only where tokens are checked)

    return Door(
        GoogleTokens(
            HttpPool(),
            audience=settings.push_audience,
            account=settings.push_account,
            certs_url=settings.push_certs_url,
        )
    )
