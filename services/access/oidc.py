"""OpenID Connect: people log in at the plant's identity provider, which says who they are and in which groups.

Authorization code flow with PKCE (RFC 7636). Of what the provider answers, the ID token is believed, and only after its
signature by one of the provider's keys under an algorithm of our own list, its issuer, audience, times and nonce were
checked; what a token says about its own algorithm or key is not asked. Each login begins a round that is good once, in
the browser that began it.
"""

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import delete

from models.domain.errors import ConfigurationError, InputError, RetryableError
from services.access.roles import OF_PEOPLE, Role
from services.access.tokens import hash_of
from services.records.access_tables import OidcRoundRow
from services.records.session import Database, now
from services.settings import Settings

ARRIVAL = "/login/arrived"
"""Path of the page that the provider sends browsers back to."""
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures by a key pair alone: with HS256 our client secret would be a signing key, and `none` is no signature."""
ROUND_LASTS = timedelta(minutes=10)
_PATIENCE_S = 5.0
_LEEWAY_S = 60
_ANSWER_BYTES = 1 << 20
_KEYS_AGAIN_S = 60.0
"""An unknown key is a reason to fetch the provider's keys again, but not for each of a flood of forged tokens."""


class NotVouchedForError(InputError):
    """The identity provider does not vouch for this login, or gives no role here."""

    code = "not-vouched-for"


@dataclass(frozen=True, slots=True)
class Client:
    """How this installation is known at the provider.

    Attributes:
        issuer: the provider's address, exactly as its tokens say it.
        client_id: our name there.
        client_secret: our password there; None for a public client, which PKCE alone protects.
        redirect_uri: where the provider sends browsers back to.
        scopes: what is asked for; `openid` must be among it.
        name_claim: which claim is the user's name.
        role_claim: which claim lists the groups; 'realm_access.roles' reaches into objects.
        roles: which group gives which role; the strongest counts.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str
    scopes: str
    name_claim: str
    role_claim: str
    roles: Mapping[str, Role]


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser is sent, and the cookie by which it is recognised when it comes back."""

    url: str
    state: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """Who came back.

    Attributes:
        issuer: who says so.
        subject: who they are there, for ever.
        name: how they are called now.
        role: what their groups give them here.
        back: the page they wanted.
    """

    issuer: str
    subject: str
    name: str
    role: Role
    back: str


class Provider:
    """The identity provider, as far as we talk to it; safe to share between threads."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._document: dict[str, Any] | None = None
        self._keys: KeySet | None = None
        self._keys_at = 0.0

    @property
    def host(self) -> str:
        """How people know it."""
        return urlsplit(self._client.issuer).netloc

    def depart(self, database: Database, back: str) -> Departure:
        """Begin a round.

        Raises:
            RetryableError: the provider or the database does not answer.
            ConfigurationError: the provider describes itself in a way that does not fit the settings.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            client_id=self._client.client_id,
            response_type="code",
            redirect_uri=self._client.redirect_uri,
            scope=self._client.scopes,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        with database.write() as session:
            moment = now(session)
            session.execute(delete(OidcRoundRow).where(OidcRoundRow.expires_at <= moment))
            session.add(
                OidcRoundRow(
                    state=hash_of(state), nonce=nonce, verifier=verifier, back=back, expires_at=moment + ROUND_LASTS
                )
            )
        return Departure(url, state)

    def arrive(self, database: Database, state: str, code: str) -> Vouched:
        """End a round: trade the code for an ID token and read it.

        Raises:
            NotVouchedForError: the round is not one of ours, or over; the token is not right; no group gives a role.
            RetryableError: the provider or the database does not answer.
        """
        with database.write() as session:
            row = session.get(OidcRoundRow, hash_of(state), with_for_update=True)
            if row is not None:
                session.delete(row)  # good once
            if row is None or row.expires_at <= now(session):
                raise NotVouchedForError("this login is over", remedy="begin it again")
        answer = self._trade(code, row.verifier)
        claims = self._read(str(answer.get("id_token", "")), row.nonce, str(answer.get("access_token", "")))
        role = role_of(claims, self._client)
        subject = str(claims["sub"])
        name = str(claims.get(self._client.name_claim) or claims.get("email") or subject)
        return Vouched(self._client.issuer, subject, name, role, row.back)

    def _trade(self, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "client_id": self._client.client_id,
            "code_verifier": verifier,
        }
        secret = self._client.client_secret
        # RFC 6749, 2.3.1: both are form-encoded before they become a basic authorization.
        auth = None if secret is None else (quote_plus(self._client.client_id), quote_plus(secret))
        return self._ask("POST", self._endpoint("token_endpoint"), data=form, auth=auth)

    def _read(self, token: str, nonce: str, access_token: str) -> CodeIDToken:
        """The claims of an ID token that is right in every respect."""
        expected = {
            "iss": {"essential": True, "value": self._client.issuer},
            "aud": {"essential": True, "value": self._client.client_id},
            "exp": {"essential": True},
        }
        given = {"nonce": nonce, "client_id": self._client.client_id, "access_token": access_token}
        try:
            try:
                signed = jwt.decode(token, self._key_set(), algorithms=ALGORITHMS)
            except (JoseError, ValueError):  # perhaps by a key that is newer than what we know
                if not self._forget_keys():
                    raise
                signed = jwt.decode(token, self._key_set(), algorithms=ALGORITHMS)
            claims = CodeIDToken(signed.claims, signed.header, expected, given)
            claims.validate(leeway=_LEEWAY_S)
        except (JoseError, ValueError) as error:
            raise NotVouchedForError(
                "the identity provider's token is not right", where=self.host, got=str(error)[:200]
            ) from error
        return claims

    def _key_set(self) -> KeySet:
        with self._lock:
            if self._keys is None:
                self._keys = KeySet.import_key_set(self._ask("GET", self._endpoint("jwks_uri")))  # type: ignore[arg-type]
                self._keys_at = time.monotonic()
            return self._keys

    def _forget_keys(self) -> bool:
        """Fetch the keys anew at the next look, unless that was done just now."""
        with self._lock:
            if time.monotonic() - self._keys_at < _KEYS_AGAIN_S:
                return False
            self._keys = None
            return True

    def _endpoint(self, name: str) -> str:
        if self._document is None:
            document = self._ask("GET", f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != self._client.issuer:
                raise ConfigurationError(
                    "identity provider calls itself otherwise", where="WAFERWATCH_OIDC_ISSUER",
                    expected=self._client.issuer, got=str(document.get("issuer"))[:200],
                )  # fmt: skip
            self._document = document
        endpoint = str(self._document.get(name, ""))
        if urlsplit(endpoint).scheme != urlsplit(self._client.issuer).scheme:
            raise ConfigurationError("identity provider names no usable address", where=name, got=endpoint[:200])
        return endpoint

    def _ask(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        try:
            answer = httpx.request(method, url, timeout=_PATIENCE_S, headers={"Accept": "application/json"}, **options)
            found = answer.json() if len(answer.content) <= _ANSWER_BYTES else None
        except (httpx.HTTPError, ValueError) as error:
            raise RetryableError(
                "identity provider does not answer", where=self.host, got=str(error)[:200], code="oidc-away"
            ) from error
        if method == "POST" and answer.is_client_error:
            told = found.get("error") if isinstance(found, dict) else None
            raise NotVouchedForError("the identity provider refuses the code", where=self.host, got=str(told)[:80])
        if not answer.is_success or not isinstance(found, dict):
            raise RetryableError(
                "identity provider does not answer", where=self.host, got=f"{answer.status_code}", code="oidc-away"
            )
        return found


def provider_of(settings: Settings) -> Provider | None:
    """The identity provider of this installation, if it has one."""
    if settings.oidc_issuer is None:
        return None
    secret = settings.oidc_client_secret
    return Provider(
        Client(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            client_secret=None if secret is None else secret.get_secret_value(),
            redirect_uri=f"{str(settings.public_url).rstrip('/')}{ARRIVAL}",
            scopes=settings.oidc_scopes,
            name_claim=settings.oidc_name_claim,
            role_claim=settings.oidc_role_claim,
            roles=settings.oidc_roles,
        )
    )


def role_of(claims: Mapping[str, Any], client: Client) -> Role:
    """The strongest role that the groups in the claims give.

    Raises:
        NotVouchedForError: none gives one.
    """
    found: Any = claims
    for part in client.role_claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    groups = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    given = {client.roles[group] for group in groups if isinstance(group, str) and group in client.roles}
    if not given:
        raise NotVouchedForError(
            "none of your groups has a role here", where=client.role_claim, remedy="ask an admin of this service",
            code="no-role",
        )  # fmt: skip
    return max(given, key=OF_PEOPLE.index)
