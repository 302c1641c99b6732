import time

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from shared.access import Caller
from shared.errors import Unauthenticated
from shared.grants import Grant, Signer

KEY = b"k" * 32
CALLER = Caller("person-1", {"default": frozenset({"annotator", "reviewer"})})


def test_a_token_says_who_asks() -> None:
    signer = Signer(KEY)
    assert signer.caller(signer.token(CALLER, "annotation"), "annotation") == CALLER


def test_a_token_that_was_good_is_refused_once_it_has_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer(KEY)
    token = signer.token(CALLER, "annotation")
    signer.caller(token, "annotation")
    later = time.time() + 61
    monkeypatch.setattr("shared.grants.time.time", lambda: later)
    with pytest.raises(Unauthenticated):
        signer.caller(token, "annotation")


def test_another_role_is_another_token_at_once() -> None:
    signer = Signer(KEY)
    signer.token(CALLER, "annotation")
    now_reviewer = Caller(CALLER.person, {"default": frozenset({"reviewer"})})
    assert signer.caller(signer.token(now_reviewer, "annotation"), "annotation") == now_reviewer


def test_a_token_is_for_one_service() -> None:
    signer = Signer(KEY)
    with pytest.raises(Unauthenticated):
        signer.caller(signer.token(CALLER, "annotation"), "ingest")


def test_a_token_of_another_key_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        Signer(KEY).caller(Signer(b"x" * 32).token(CALLER, "ingest"), "ingest")


def signed(claims: dict[str, object], algorithm: str = "HS256") -> str:
    return jwt.encode({"alg": algorithm}, claims, OctKey.import_key(KEY), algorithms=[algorithm])


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b.c",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
        signed({"aud": "ingest", "sub": "x", "roles": {}, "exp": int(time.time()) - 1}),
        signed({"aud": "ingest", "sub": "x", "roles": {}}),
        signed({"aud": "ingest", "roles": {}, "exp": int(time.time()) + 9}),
        signed({"sub": "x", "roles": {}, "exp": int(time.time()) + 9}),
        signed({"aud": "ingest", "sub": "x", "roles": {}, "exp": int(time.time()) + 9}, "HS512"),
    ],
    ids=["empty", "text", "parts", "alg none", "expired", "no expiry", "no subject", "no audience", "other algorithm"],
)
def test_a_bad_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        Signer(KEY).caller(token, "ingest")


def test_a_role_that_nobody_knows_grants_nothing() -> None:
    token = signed({"aud": "ingest", "sub": "x", "roles": {"default": ["emperor"]}, "exp": int(time.time()) + 9})
    assert Signer(KEY).caller(token, "ingest").roles == {"default": frozenset()}


def test_a_grant_opens_its_file_and_no_service() -> None:
    signer = Signer(KEY)
    text = signer.grant(Grant("a" * 64, "image/jpeg", "figure.jpg"))
    assert signer.granted(text) == Grant("a" * 64, "image/jpeg", "figure.jpg")
    with pytest.raises(Unauthenticated):
        signer.caller(text, "ingest")
    with pytest.raises(Unauthenticated):
        signer.granted(signer.token(CALLER, "ingest"))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Signer(b"short")
