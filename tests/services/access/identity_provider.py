"""A little OpenID provider that keeps its promises, except where a test asks it not to."""

import hashlib
import hmac
import json
import secrets
import time
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote_plus, urlencode

from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "waferwatch", "s3cret & more of it, long enough"

_KEY = RSAKey.generate_key(2048, {"kid": "1"})


@dataclass
class Issued:
    """What the provider remembers of a code."""

    challenge: str
    nonce: str
    redirect_uri: str


@dataclass
class IdentityProvider:
    """Its state, and what tests may bend.

    Attributes:
        claims: put over the right ones; None removes one.
        algorithm: how it signs.
        key: what it signs with; bytes are used as they are.
        published: the keys it publishes.
    """

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    key: Any = field(default_factory=lambda: _KEY)
    published: list[Any] = field(default_factory=list)
    codes: dict[str, Issued] = field(default_factory=dict)
    asked_for_keys: int = 0

    def __post_init__(self) -> None:
        self.published = self.published or [self.key]

    def app(self) -> FastAPI:
        """Its four endpoints."""
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        def configuration() -> dict[str, Any]:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"],
            }

        @app.get("/keys")
        def keys() -> dict[str, Any]:
            self.asked_for_keys += 1
            return {"keys": [key.as_dict(private=False) for key in self.published]}

        @app.get("/authorize")
        def authorize(request: Request) -> Response:
            asked = request.query_params
            assert asked["response_type"] == "code"
            assert asked["client_id"] == CLIENT
            assert asked["code_challenge_method"] == "S256"
            assert "openid" in asked["scope"].split()
            code = secrets.token_urlsafe(16)
            self.codes[code] = Issued(asked["code_challenge"], asked["nonce"], asked["redirect_uri"])
            return RedirectResponse(
                f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 303
            )

        @app.post("/token")
        def token(
            request: Request,
            code: Annotated[str, Form()],
            code_verifier: Annotated[str, Form()],
            redirect_uri: Annotated[str, Form()],
        ) -> Response:
            given = b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
            issued = self.codes.pop(code, None)
            challenge = _base64(hashlib.sha256(code_verifier.encode()).digest())
            if given != f"{CLIENT}:{quote_plus(SECRET)}" or issued is None or challenge != issued.challenge:
                return JSONResponse({"error": "invalid_grant"}, 400)
            assert redirect_uri == issued.redirect_uri
            return JSONResponse(
                {"access_token": "opaque", "token_type": "Bearer", "id_token": self.signed(issued.nonce)}
            )

        return app

    def signed(self, nonce: str) -> str:
        """An ID token."""
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "0815", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce,
            "preferred_username": "zoe", "groups": ["fab-operators", "canteen"],
        } | self.claims  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "1"}
        if isinstance(self.key, bytes):  # by hand: libraries refuse to sign like this
            content = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
            signature = hmac.digest(self.key, content.encode(), "sha256") if self.algorithm == "HS256" else b""
            return f"{content}.{_base64(signature)}"
        return jwt.encode(header, claims, self.key, algorithms=[self.algorithm])


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
