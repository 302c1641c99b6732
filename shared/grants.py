"""Signed tokens of the internal hop and signed grants: JWTs (RFC 7519), HS256, of at most 60 s and 1 h; and the
attempt to sign in at another place, which waits in the browser for 10 min.

A token says who asks (audience: one service); a grant says which file may be read, or which figure looked at in depth,
so that these doors need to ask nobody. All expire; none carries a name.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, get_args

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import OctKey

from shared.access import Caller, Role
from shared.errors import Unauthenticated

TOKEN_SECONDS: Final = 60
SAME_SECONDS: Final = 20  # in which who asks again is given the same token
REMEMBERED: Final = 4096  # signatures made and checked
GRANT_SECONDS: Final = 3600
ATTEMPT_SECONDS: Final = 600
_ALGORITHMS: Final = ["HS256"]
_ROLES: Final = frozenset(get_args(Role))


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to read one file: its blob, its media type, the name to save it as ("" shows it in the page)."""

    blob: str
    media_type: str
    file_name: str = ""


class Signer:
    """Signs and checks with one key of at least 32 bytes, shared by all services of an installation."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the signing key needs at least 32 bytes")
        self._key = OctKey.import_key(key)
        # People ask many times a minute, with one token then, and see the same pictures again: a signature is made, and
        # checked, once.
        self._signed = lru_cache(REMEMBERED)(self._sign_now)
        self._opened = lru_cache(REMEMBERED)(self._open)

    def token(self, caller: Caller, audience: str) -> str:
        """Says to the service `audience` who asks, for 40 to 60 s."""
        roles = {project: sorted(roles) for project, roles in caller.roles.items()}
        claims: dict[str, Any] = {"aud": audience, "sub": caller.person, "roles": roles}
        if caller.archived:
            claims["archived"] = sorted(caller.archived)
        if caller.reviewers:
            claims["reviewers"] = dict(caller.reviewers)
        return self._sign(claims, TOKEN_SECONDS, issued=_rounded(SAME_SECONDS))

    def caller(self, token: str, audience: str) -> Caller:
        """Raises Unauthenticated unless the token is whole, in time and meant for `audience`."""
        claims = self._check(token, audience)
        roles: dict[str, frozenset[Role]] = {
            project: frozenset(role for role in names if role in _ROLES)
            for project, names in claims.get("roles", {}).items()
        }
        return Caller(
            person=str(claims["sub"]),
            roles=roles,
            archived=frozenset(claims.get("archived", ())),
            reviewers=claims.get("reviewers", {}),
        )

    def grant(self, grant: Grant) -> str:
        """Lets whoever holds it read one file for an hour."""
        return self._lasting({"aud": "files", "sub": grant.blob, "type": grant.media_type, "name": grant.file_name})

    def granted(self, token: str) -> Grant:
        """Raises Unauthenticated unless the grant is whole and in time."""
        claims = self._check(token, "files")
        return Grant(blob=str(claims["sub"]), media_type=str(claims["type"]), file_name=str(claims["name"]))

    def view_grant(self, figure: str) -> str:
        """Lets whoever holds it look at one figure in depth for an hour."""
        return self._lasting({"aud": "views", "sub": figure})

    def viewed(self, token: str) -> str:
        """The figure. Raises Unauthenticated unless the grant is whole and in time."""
        return str(self._check(token, "views")["sub"])

    def attempt(self, claims: Mapping[str, str]) -> str:
        """An attempt to sign in by a provider, for the browser that makes it, for ten minutes."""
        return self._sign({"aud": "attempts", "sub": claims["state"], "attempt": dict(claims)}, ATTEMPT_SECONDS)

    def attempted(self, token: str) -> dict[str, str]:
        """Raises Unauthenticated unless the attempt is whole and in time."""
        return {str(name): str(value) for name, value in self._check(token, "attempts")["attempt"].items()}

    def _lasting(self, claims: Mapping[str, str]) -> str:
        # Rounded to the half hour, so that a page shown again finds the same address in the browser's cache.
        return self._sign(claims, GRANT_SECONDS + GRANT_SECONDS // 2, issued=_rounded(GRANT_SECONDS // 2))

    def _sign(self, claims: Mapping[str, Any], seconds: int, *, issued: int | None = None) -> str:
        start = int(time.time()) if issued is None else issued
        return self._signed(json.dumps({**claims, "exp": start + seconds}, separators=(",", ":")))

    def _sign_now(self, claims: str) -> str:
        return jwt.encode({"alg": "HS256"}, json.loads(claims), self._key, algorithms=_ALGORITHMS)

    def _check(self, token: str, audience: str) -> dict[str, Any]:
        try:
            claims = self._opened(token, audience)
            if claims["exp"] < time.time():  # it was good when it was opened
                raise ExpiredTokenError("exp")
        except (JoseError, ValueError) as error:
            raise Unauthenticated(
                "The signed address or token is not valid or has expired.", remedy="Load the page again."
            ) from error
        return claims

    def _open(self, token: str, audience: str) -> dict[str, Any]:
        """Its claims. Raises JoseError, ValueError."""
        claims = jwt.decode(token, self._key, algorithms=_ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            aud={"essential": True, "value": audience}, exp={"essential": True}, sub={"essential": True}
        ).validate(claims)
        return claims


def _rounded(seconds: int) -> int:
    """When the present span of so many seconds began."""
    return int(time.time()) // seconds * seconds
