"""An OpenID Connect provider: Authlib's own authorization server, with PKCE, on loopback. It consents at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import flask
import pytest
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from authlib.oidc.core.models import AuthorizationCodeMixin
from joserfc.jwk import ECKey, KeySet
from werkzeug.serving import make_server

CLIENT: Final = "mitagger"
SECRET: Final = "the secret of this client"


def new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})


class _Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    id_token_signed_response_alg = "ES256"

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.startswith("http://") and redirect_uri.endswith("/api/v1/session/oidc/callback")

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class _Code(AuthorizationCodeMixin):  # type: ignore[misc]  # Authlib has no types
    code: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> None:
        return None

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


@dataclass
class OpenId:
    """The provider: who sits before the browser (`person`, its claims), and how it misbehaves: `spoilt` replaces
    claims of the id token, `reusable` takes a code twice, `discovery` answers in place of the discovery document."""

    issuer: str
    person: dict[str, Any] = field(default_factory=lambda: {"sub": "ada-1", "name": "Ada", "groups": ["annotators"]})
    spoilt: dict[str, Any] = field(default_factory=dict)
    reusable: bool = False
    thin: bool = False
    discovery: Callable[[], flask.Response] | None = None
    signing: ECKey = field(default_factory=lambda: new_key("first"))
    codes: dict[str, _Code] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
        }


def _application(openid: OpenId) -> flask.Flask:
    app = flask.Flask("openid")
    server = AuthorizationServer(
        app, lambda client: _Client() if client == CLIENT else None, lambda token, request: None
    )
    server.init_app(app)

    class Grant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]

        def save_authorization_code(self, code: str, request: Any) -> None:
            data = request.payload.data
            openid.codes[code] = _Code(
                code,
                request.payload.redirect_uri,
                request.payload.scope,
                data.get("nonce"),
                data.get("code_challenge"),
                data.get("code_challenge_method"),
            )

        def query_authorization_code(self, code: str, client: _Client) -> _Code | None:
            return openid.codes.get(code)

        def delete_authorization_code(self, authorization_code: _Code) -> None:
            if not openid.reusable:
                del openid.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: _Code) -> dict[str, Any]:
            return openid.person

    class Code(OpenIDCode):  # type: ignore[misc]  # Authlib has no types
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return any(code.nonce == nonce for code in openid.codes.values())

        def resolve_client_private_key(self, client: _Client) -> ECKey:
            return openid.signing

        def get_encode_header(self, client: _Client) -> dict[str, str]:
            return {"alg": "ES256", "kid": str(openid.signing.kid)}

        def get_client_claims(self, client: _Client) -> dict[str, Any]:
            return {"iss": openid.issuer, "aud": [CLIENT]}

        def generate_user_info(self, user: dict[str, Any], scope: str) -> UserInfo:
            told = {"sub": user["sub"]} if openid.thin else user
            return UserInfo(**{**told, **openid.spoilt})

    server.register_grant(Grant, [Code(require_nonce=True), CodeChallenge(required=True)])

    @app.get("/.well-known/openid-configuration")
    def discovery() -> Any:
        openid.asked.append("discovery")
        return openid.discovery() if openid.discovery else openid.document()

    @app.get("/elsewhere")
    def elsewhere() -> Any:
        return openid.document()

    @app.get("/authorize")
    def authorize() -> Any:
        return server.create_authorization_response(
            grant=server.get_consent_grant(end_user=openid.person), grant_user=openid.person
        )

    @app.post("/token")
    def token() -> Any:
        openid.asked.append("token")
        return server.create_token_response()

    @app.get("/userinfo")
    def userinfo() -> Any:
        openid.asked.append("userinfo")
        return {**openid.person, **openid.spoilt}

    @app.get("/keys")
    def keys() -> Any:
        return KeySet([openid.signing]).as_dict(private=False)

    return app


@contextmanager
def provided(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenId]:
    """The provider, serving in a thread."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # of Authlib's server: loopback without TLS
    openid = OpenId("")
    server = make_server("127.0.0.1", 0, _application(openid), threaded=True)
    openid.issuer = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield openid
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
