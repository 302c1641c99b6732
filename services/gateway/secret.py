"""Secrets that the gateway hands out, and their fingerprints, which is all it keeps.

Secrets are 256 random bits, so nobody can guess one from a fast hash; passwords are chosen by people and need a slow
one (passwords.py). docs/decisions/0002-credentials.md
"""

import hashlib
import hmac
import secrets
from typing import Final

KEY_PREFIX: Final = "mitagger"


def new_secret() -> str:
    """256 random bits, as 43 characters safe in URLs and cookies."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str, expected: str) -> bool:
    """Whether the secret has this fingerprint, compared in constant time."""
    return hmac.compare_digest(fingerprint(secret), expected)


def key_text(id: str, secret: str) -> str:
    """An API key as its owner sees it: recognisable to people and to scanners for leaked secrets."""
    return f"{KEY_PREFIX}_{id}_{secret}"


def key_parts(text: str) -> tuple[str, str] | None:
    """(id, secret) of an API key; null when it cannot be one."""
    prefix, _, rest = text.partition("_")
    id, _, secret = rest.partition("_")
    if prefix != KEY_PREFIX or len(id) != 32 or not id.isalnum() or not 0 < len(secret) <= 100:
        return None
    return id, secret


def link_text(id: str, secret: str) -> str:
    """What stands in the link that lets the account `id` set its password."""
    return f"{id}_{secret}"


def link_parts(text: str) -> tuple[str, str] | None:
    """(id of the account, secret) of a link; null when it cannot be one."""
    id, _, secret = text.partition("_")
    if len(id) != 32 or not id.isalnum() or not 0 < len(secret) <= 100:
        return None
    return id, secret
