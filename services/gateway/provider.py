"""The OpenID Connect provider over HTTP: the authorization code flow with PKCE, in the words of Authlib.

OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749, RFC 7636 (S256), RFC 9207. Every answer is bounded in size and
time; nothing is followed to another address. Authlib comes with the extra `oidc`.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson
import structlog
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from services.gateway.oidc import Attempt, Terms
from shared.errors import Unauthenticated, Unavailable
from shared.grants import ATTEMPT_SECONDS

LARGEST_ANSWER: Final = 256 << 10
ANSWER_SECONDS: Final = 10.0
# By how much two clocks may differ.
SKEW_SECONDS: Final = 60
KEPT_SECONDS: Final = 3600.0
# After a failure, and before keys are asked for anew because one is not known.
PAUSE_SECONDS: Final = 5.0
MOST_KEYS: Final = 100
# Signed by the provider alone: no HS256, whose key a client has too, and no "none".
ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
ACCUSED: Final = "the OpenID Connect provider"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Metadata:
    """Of the discovery document, what is used."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    token_auth: str
    at: float


class HttpProvider:
    """See `services.gateway.oidc.Provider`."""

    def __init__(self, terms: Terms, *, seconds: float = ANSWER_SECONDS) -> None:
        """`seconds`: until each of the provider's answers must be there, whole."""
        self._terms = terms
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._metadata: _Metadata | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._failed: tuple[float, Unavailable] | None = None

    async def address(self, attempt: Attempt) -> str:
        metadata = await self._discovered()
        address: str = prepare_grant_uri(
            metadata.authorization,
            client_id=self._terms.client,
            response_type="code",
            redirect_uri=attempt.callback,
            scope=" ".join(self._terms.scopes),
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=create_s256_code_challenge(attempt.verifier),
            code_challenge_method="S256",
        )
        return address

    async def claims(self, attempt: Attempt, code: str, wanted: Sequence[str]) -> Mapping[str, Any]:
        metadata = await self._discovered()
        token = await self._exchanged(metadata, attempt, code)
        claims = await self._validated(metadata, attempt, token)
        access = token.get("access_token")
        if metadata.userinfo and isinstance(access, str) and any(claim not in claims for claim in wanted):
            status, said = await self._asked("GET", metadata.userinfo, {"Authorization": f"Bearer {access}"})
            # Core 5.3.2: what is said of somebody else must not be used.
            if status != 200 or said.get("sub") != claims["sub"]:
                raise self._refused("userinfo")
            claims = {**said, **claims}
        return claims

    async def _exchanged(self, metadata: _Metadata, attempt: Attempt, code: str) -> dict[str, Any]:
        body = prepare_token_request(
            "authorization_code", "", attempt.callback, code=code, code_verifier=attempt.verifier
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        client = ClientAuth(self._terms.client, self._terms.secret, metadata.token_auth)
        url, headers, body = client.prepare("POST", metadata.token, headers, body)
        status, token = await self._asked("POST", url, headers, body)
        if status != 200 or not isinstance(token.get("id_token"), str):
            # The error is a code of RFC 6749, 5.2; its description may hold anything.
            raise self._refused("token", str(token.get("error", ""))[:40])
        return token

    async def _validated(self, metadata: _Metadata, attempt: Attempt, token: Mapping[str, Any]) -> dict[str, Any]:
        """Core 3.1.3.7."""
        try:
            signed = await self._signed(metadata, token["id_token"])
            claims = CodeIDToken(
                signed.claims,
                signed.header,
                options={
                    "iss": {"essential": True, "value": self._terms.issuer},
                    "aud": {"essential": True, "value": self._terms.client},
                },
                params={
                    "nonce": attempt.nonce,
                    "client_id": self._terms.client,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(int(time.time()), leeway=SKEW_SECONDS)
        except (JoseError, ValueError, TypeError, RecursionError) as problem:
            raise self._refused("id token", f"{type(problem).__name__} {getattr(problem, 'claim', '')}") from problem
        if claims["iat"] < time.time() - ATTEMPT_SECONDS - SKEW_SECONDS:
            raise self._refused("id token", "old")
        return dict(claims)

    async def _signed(self, metadata: _Metadata, text: str) -> jwt.Token:
        try:
            return jwt.decode(text, await self._published(metadata, KEPT_SECONDS), algorithms=ALGORITHMS)
        except InvalidKeyIdError:  # the provider has changed its keys
            return jwt.decode(text, await self._published(metadata, PAUSE_SECONDS), algorithms=ALGORITHMS)

    async def _discovered(self) -> _Metadata:
        async with self._lock:
            at = time.monotonic()
            if self._metadata is not None and at < self._metadata.at + KEPT_SECONDS:
                return self._metadata
            if self._failed is not None and at < self._failed[0] + PAUSE_SECONDS:
                raise Unavailable(ACCUSED, self._failed[1].message, remedy=self._failed[1].remedy)
            try:
                self._metadata = await self._discover()
            except Unavailable as problem:
                self._failed = time.monotonic(), problem
                raise
            return self._metadata

    async def _discover(self) -> _Metadata:
        url = self._terms.issuer.rstrip("/") + "/.well-known/openid-configuration"
        status, said = await self._asked("GET", url, {})
        # Discovery 4.3: or one provider could speak for another.
        if status != 200 or said.get("issuer") != self._terms.issuer:
            raise self._away(f"its discovery document ({status}) is not one of {self._terms.issuer}")
        required = [said.get(f"{name}_endpoint") for name in ("authorization", "token")] + [said.get("jwks_uri")]
        userinfo = said.get("userinfo_endpoint") or ""
        for address in [*required, *([userinfo] if userinfo else [])]:
            if not isinstance(address, str) or not allowed(address, self._terms.issuer):
                raise self._away("its discovery document lacks an address, or names one without TLS")
        ways = said.get("token_endpoint_auth_methods_supported")
        way = "client_secret_basic"
        if isinstance(ways, list) and way not in ways and "client_secret_post" in ways:
            way = "client_secret_post"
        authorization, token, keys = (str(address) for address in required)
        return _Metadata(
            authorization, token, keys, str(userinfo), way if self._terms.secret else "none", time.monotonic()
        )

    async def _published(self, metadata: _Metadata, seconds: float) -> KeySet:
        """The provider's keys, not older than this."""
        async with self._lock:
            if self._keys is not None and time.monotonic() < self._keys[0] + seconds:
                return self._keys[1]
            status, said = await self._asked("GET", metadata.keys, {})
            listed = said.get("keys")
            if status != 200 or not isinstance(listed, list):
                raise self._away(f"it does not publish its keys ({status})")
            # Keys of kinds that are not known here, or to encrypt with, are of no use, and no harm.
            useful = [key for key in listed[:MOST_KEYS] if isinstance(key, dict) and key.get("use") in (None, "sig")]
            keys = [key for one in useful for key in _imported(one)]
            self._keys = time.monotonic(), KeySet(keys)
            return self._keys[1]

    async def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer. Raises Unavailable."""
        # Nothing packed: what is unpacked has no bound.
        sent = {**headers, "Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            async with asyncio.timeout(self._seconds):
                async with (
                    httpx.AsyncClient(timeout=self._seconds, follow_redirects=False) as http,
                    http.stream(method, url, headers=sent, content=body.encode() or None) as answer,
                ):
                    if answer.has_redirect_location or answer.status_code >= 500:
                        raise self._away(f"it answers {answer.status_code}")
                    text = bytearray()
                    async for part in answer.aiter_raw():
                        text += part
                        if len(text) > LARGEST_ANSWER:
                            raise self._away(f"its answer has more than {LARGEST_ANSWER:,} bytes")
            said = orjson.loads(text)
        except TimeoutError as problem:
            raise self._away(f"no whole answer within {self._seconds:g} s") from problem
        except httpx.HTTPError as problem:
            raise self._away(type(problem).__name__) from problem
        except orjson.JSONDecodeError as problem:
            raise self._away("its answer is not JSON") from problem
        if not isinstance(said, dict):
            raise self._away("its answer is not a JSON object")
        return answer.status_code, said

    def _away(self, why: str) -> Unavailable:
        log.warning("the OpenID Connect provider does not answer as it must", issuer=self._terms.issuer, why=why)
        return Unavailable(
            ACCUSED,
            f"{self._terms.name} cannot sign anybody in at this moment: {why}.",
            remedy="Try again in a minute; then tell your administrator.",
        )

    def _refused(self, what: str, why: str = "") -> Unauthenticated:
        log.warning("an answer of the OpenID Connect provider was refused", what=what, why=why)
        return Unauthenticated(
            f"What {self._terms.name} said about you was not valid ({what}).",
            remedy="Sign in again; if it stays so, tell your administrator (the gateway's log says more).",
        )


def allowed(address: str, issuer: str) -> bool:
    """Whether an address of the discovery document may be used: TLS, unless the issuer itself is on this machine."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in LOOPBACK and urlsplit(issuer).hostname in LOOPBACK


def _imported(key: dict[str, Any]) -> list[Any]:
    try:
        return KeySet.import_key_set({"keys": [key]}).keys
    except (JoseError, ValueError, TypeError, KeyError):
        return []
