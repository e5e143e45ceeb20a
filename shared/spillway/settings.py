"""The settings: typed values read once from the environment and a `.env` file. A bad one stops the start."""

import binascii
import difflib
import os
import re
from base64 import b64decode
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from spillway.domain.addresses import read_address
from spillway.errors import BadSettings

PREFIX = "SPILLWAY_"
ENV_FILE = ".env"


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL")
    return value.rstrip("/")


def _signing_key(value: SecretStr) -> SecretStr:
    try:
        key = b64decode(value.get_secret_value().removeprefix("whsec_") + "==", validate=False)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("must be whsec_ and a key in Base64")
    return value


def _webhook_url(value: SecretStr) -> SecretStr:
    parts = urlsplit(_http_url(value.get_secret_value()))
    if not re.search(r"/webhooks/[^/]+/[^/]+$", parts.path):
        raise ValueError("must be a webhook's URL: https://discord.com/api/webhooks/ID/TOKEN")
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]


Address = Annotated[str, AfterValidator(read_address)]


def _listed(value: Any) -> Any:
    """What commas separate, one at least."""
    if not isinstance(value, str):
        return value
    parts = tuple(part.strip() for part in value.split(",") if part.strip())
    if not parts:
        raise ValueError("names nothing")
    return parts


Listed = (NoDecode, BeforeValidator(_listed))


def _scheme(*allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        scheme = value.split("://", 1)[0] if "://" in value else ""
        if scheme not in allowed:
            raise ValueError("must begin with " + " or ".join(f"{name}://" for name in allowed))
        return value

    return AfterValidator(check)


class Settings(BaseSettings):
    """Every setting of the contract, by its environment variable (docs/settings.md lists them for people)."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, env_ignore_empty=True, frozen=True, extra="ignore", populate_by_name=True
    )

    subnet_url: HttpUrl | None = None
    subnet_cli_url: HttpUrl | None = None
    subnet_metrics_url: HttpUrl | None = None
    public_url: HttpUrl | None = None
    routes: Path | None = None
    state: Annotated[str, _scheme("memory", "sqlite", "firestore")] = "sqlite:///var/spillway.db"
    queue: Annotated[str, _scheme("local", "pubsub")] = "local://"
    keep_inputs_s: int = Field(default=86_400, ge=60)
    keep_results_s: int = Field(default=7 * 86_400, ge=60)
    artifacts: Annotated[str, _scheme("file", "gs")] = Field(
        default_factory=lambda: f"file://{Path('var/artifacts').absolute()}"
    )
    verify: Literal["decode", "none"] = "decode"
    auth: Literal["keys", "none"] | None = None
    allow_private_urls: bool = False
    replicate_api_token: SecretStr | None = Field(default=None, validation_alias="REPLICATE_API_TOKEN")
    replicate_url: HttpUrl = "https://api.replicate.com"
    replicate_webhook_secret: Annotated[SecretStr, AfterValidator(_signing_key)] | None = None
    fallback_usd_per_day: float | None = Field(default=None, ge=0)
    max_body: int = Field(default=32 * 1024 * 1024, ge=1024)
    max_bodies: int = Field(default=256 * 1024 * 1024, ge=1024)
    gateway_url: HttpUrl | None = None
    internal_key: SecretStr | None = Field(default=None, min_length=16)
    push_audience: str | None = None
    push_account: str | None = None
    push_certs_url: HttpUrl = "https://www.googleapis.com/oauth2/v1/certs"
    webhook_secret: Annotated[SecretStr, AfterValidator(_signing_key)] | None = None
    max_listeners: int = Field(default=1000, ge=1)
    rpc_url: Annotated[tuple[HttpUrl, ...], *Listed] | None = Field(default=None, repr=False)
    ens_rpc_url: HttpUrl | None = Field(default=None, repr=False)
    chain_id: int = Field(default=42161, ge=1)
    ticket_broker: Address = "0xa8bB618B1520E284046F3dFc448851A1Ff26e41B"
    senders: Annotated[tuple[Address, ...], *Listed] = ("0x012345dE92B630C065dFc0caBE4eB34f74f7FC85",)
    start_block: int | None = Field(default=None, ge=0)
    confirmations: int | None = Field(default=None, ge=0)
    deposit_warn_eth: Decimal = Field(default=Decimal("0.05"), ge=0)
    deposit_warn_days: float = Field(default=14.0, ge=0)
    discord_webhook_url: Annotated[SecretStr, AfterValidator(_webhook_url)] | None = None
    deployment: Annotated[str, Field(pattern=r"^[a-z](?:[a-z0-9-]{0,13}[a-z0-9])?$")] = "spillway"
    compute_group: Annotated[str, Field(pattern=r"^[^/]+/[^/]+/[^/]+$")] | None = None
    tensordock_url: HttpUrl = "https://dashboard.tensordock.com"
    tensordock_api_token: SecretStr | None = Field(default=None, validation_alias="TENSORDOCK_API_TOKEN")


def load_settings(**overrides: Any) -> Settings:
    """Read the environment and `.env`; `overrides` win. Raises BadSettings with one line that says what to change."""
    _refuse_unknown([*os.environ, *dotenv_values(ENV_FILE)])
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise BadSettings(_one_line(error)) from None


def _refuse_unknown(given: Iterable[str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for variable in given:
        if variable.startswith(PREFIX) and variable not in known:
            near = difflib.get_close_matches(variable, known, 1)
            raise BadSettings(f"{variable} is not a setting" + (f"; did you mean {near[0]}?" if near else ""))


def _one_line(error: ValidationError) -> str:
    """The first finding, by the variable's name; the value is not shown, as it may be a secret."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    variable = name if name.isupper() else PREFIX + name.upper()
    return f"{variable}: {first['msg'].removeprefix('Value error, ')}"
