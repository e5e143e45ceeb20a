"""Google as far as it signs OIDC tokens and lets accounts in: own keys, certificates behind a server, tokens."""

import datetime as dt
import json
import time
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt

from simulator.listener import Listener

AUDIENCE = "https://notifier.example"
ACCOUNT = "pusher@project.iam.gserviceaccount.com"
ACCESS_TOKEN = "ya29.of-an-account"


class Google(Listener):
    """Serves the certificates of its keys; `asked` counts how often."""

    name: ClassVar[str] = "google"

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.broken = False
        self._keys: dict[str, rsa.RSAPrivateKey] = {}
        self.new_key("first")

    def application(self) -> web.Application:
        """The certificates, as Google's v1 endpoint has them, and access tokens for accounts."""
        app = web.Application()
        app.router.add_get("/certs", self._certs)
        app.router.add_post("/token", self._access)
        return app

    @property
    def certs_url(self) -> str:
        """Where they are."""
        return f"{self.url}/certs"

    def new_key(self, name: str) -> None:
        """Another key, as Google takes every few days."""
        self._keys[name] = rsa.generate_private_key(65537, 2048)

    def token(self, key: str = "first", *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A signed token; a claim that is None is left out."""
        now = int(time.time())
        whole: dict[str, Any] = {
            "iss": "https://accounts.google.com", "aud": AUDIENCE, "iat": now, "exp": now + 3600,
            "email": ACCOUNT, "email_verified": True, **claims,
        }  # fmt: skip
        signer = crypt.RSASigner(self._keys[key], key)
        payload = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(signer, json.loads(json.dumps(payload)), header=header).decode()

    def account_file(self, folder: Path) -> str:
        """Application default credentials that get their tokens here; gives the file's path."""
        pem = self._keys["first"].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account", "project_id": "project", "private_key_id": "first", "private_key": pem.decode(),
            "client_email": ACCOUNT, "client_id": "1", "token_uri": f"{self.url}/token",
        }  # fmt: skip
        file = folder / "account.json"
        file.write_text(json.dumps(account))
        return str(file)

    async def _access(self, _: web.Request) -> web.Response:
        return web.json_response({"access_token": ACCESS_TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    async def _certs(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.broken:
            return web.Response(status=503)
        return web.json_response({name: _certificate(key) for name, key in self._keys.items()})


def _certificate(key: rsa.RSAPrivateKey) -> str:
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "federated-signon")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(named, named, key.public_key(), 1, now, now + dt.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
