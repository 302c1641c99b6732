"""Settings: a flag of the command line, then MITAGGER_… in the environment, then a file mitagger_… in /run/secrets (for
Docker and Kubernetes), then mitagger.toml, then the default.

`mitagger.toml` is looked for in the current folder. docs/settings.md is generated from this file.
"""

import os
import secrets
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from shared.access import Role
from shared.errors import Invalid

EMBEDDED: Final = "embedded"
SECRETS: Final = Path("/run/secrets")


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="MITAGGER_", env_nested_delimiter="__", toml_file="mitagger.toml", extra="ignore", frozen=True
    )

    data: Annotated[
        Path,
        Field(
            default_factory=lambda: user_data_path("mitagger", appauthor=False),
            description="Folder of the store, the files and the signing key. One server at a time.",
        ),
    ]
    cache: Annotated[
        Path,
        Field(
            default_factory=lambda: user_cache_path("mitagger", appauthor=False),
            description="Folder of compiled vocabularies; may be deleted at any time.",
        ),
    ]
    host: Annotated[str, Field(description="Address to listen on. Loopback unless you say otherwise.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8420
    bus: Annotated[str, Field(description="Where events go. `embedded`: a log in the SQLite file.")] = EMBEDDED
    documents: Annotated[str, Field(description="Where documents are kept. `embedded`: the SQLite file.")] = EMBEDDED
    search: Annotated[
        str,
        Field(description="The search index. `embedded`: SQLite FTS5; else Meilisearch: http://host:7700/prefix."),
    ] = EMBEDDED
    search_key_file: Annotated[Path | None, Field(description="File with Meilisearch's key, in place of it.")] = None
    search_key: Annotated[SecretStr | None, Field(description="Meilisearch's master key, or an admin's.")] = None
    blobs: Annotated[
        str, Field(description="Where files are kept: `embedded` (a folder in the data folder), file://… or s3://…")
    ] = EMBEDDED
    addresses: Annotated[
        dict[str, str],
        Field(
            description="Where the services are that run apart, for the gateway: MITAGGER_ADDRESSES__INGEST=http://…"
        ),
    ] = {}
    key_file: Annotated[
        Path | None, Field(description="File with the signing key, in place of `key`: for secrets that come as files.")
    ] = None
    key: Annotated[
        SecretStr | None,
        Field(
            description="Signs tokens and grants; at least 32 characters. Generated into the data folder if missing."
        ),
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Field(
            max_length=100,
            description="Addresses or networks of the proxies in front of the gateway, as a JSON list. X-Forwarded-For"
            " and X-Forwarded-Proto are believed from these alone.",
        ),
    ] = ()
    workers: Annotated[int, Field(ge=0, le=64, description="Processes for CPU work on images; 0 takes one a core.")] = 0
    view_bytes: Annotated[
        int,
        Field(
            ge=0, description="Most bytes in the data folder of pictures prepared for deep zoom; all can be made again."
        ),
    ] = 4 << 30
    upload_bytes: Annotated[int, Field(ge=1, description="Largest file that may be uploaded, in bytes.")] = 512 << 20
    vocabularies: Annotated[
        Path | None,
        Field(description="Folder of vocabulary files (NAME.tsv, gzip or xz) in place of the defaults that ship."),
    ] = None
    learning_figures: Annotated[
        int, Field(ge=1, le=500, description="Figures that must say so before a name is learned or suppressed.")
    ] = 3
    learning_articles: Annotated[int, Field(ge=1, le=500, description="Articles that these must be of.")] = 2
    learning_people: Annotated[int, Field(ge=1, le=500, description="Annotators that these must be by.")] = 2
    learning_scope: Annotated[
        Literal["project", "site"],
        Field(
            description="Where what a project's reviews teach applies: in that project, until an administrator widens"
            " it, or on the whole `site`."
        ),
    ] = "project"
    bioportal: Annotated[
        str,
        Field(
            pattern=r"^(https?://[^\s?#]+)?$",
            description="Address of BioPortal, such as https://data.bioontology.org. Legends are sent there of projects"
            " whose administrator allows it (`mitagger bioportal`); without an address nothing is.",
        ),
    ] = ""
    bioportal_key: Annotated[SecretStr | None, Field(description="Your API key at BioPortal.")] = None
    bioportal_ontologies: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")], ...],
        Field(min_length=1, description="Acronyms of the ontologies that BioPortal is asked for, as a JSON list."),
    ] = ("SNOMEDCT", "GO", "NCIT", "RXNORM")
    bioportal_limit: Annotated[
        int, Field(ge=1, le=100, description="Requests a second that BioPortal takes, from all recommenders together.")
    ] = 3
    bioportal_alone: Annotated[
        bool, Field(description="What BioPortal finds in place of, not beside, what the local vocabularies find.")
    ] = False
    oidc: Annotated[
        str,
        Field(
            description="Issuer of the OpenID Connect provider that people may sign in by, such as"
            " https://login.example.org/realms/hospital; https, unless it is on this machine.",
        ),
    ] = ""
    oidc_name: Annotated[
        str, Field(min_length=1, max_length=60, description="What the sign-in page calls it: Sign in with …")
    ] = "single sign-on"
    oidc_client: Annotated[str, Field(max_length=255, description="Id of this client at the provider.")] = ""
    oidc_secret_file: Annotated[Path | None, Field(description="File with the client's secret, in place of it.")] = None
    oidc_secret: Annotated[
        SecretStr | None, Field(description="The client's secret; none for a public client, which PKCE protects.")
    ] = None
    oidc_scopes: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[!#-\[\]-~]{1,100}$")], ...],
        Field(max_length=50, description="Scopes to ask for beside `openid`, as a JSON list."),
    ] = ("profile",)
    oidc_roles_claim: Annotated[
        str,
        Field(min_length=1, max_length=200, description="Claim with groups or roles; a path has dots."),
    ] = "groups"
    oidc_roles: Annotated[
        dict[str, tuple[Role, ...]],
        Field(max_length=1000, description="Roles here by value of that claim, as JSON. Who gets none stays out."),
    ] = {}
    oidc_name_claim: Annotated[
        str, Field(min_length=1, max_length=200, description="Claim with the name by which people are shown.")
    ] = "name"
    oidc_create: Annotated[
        bool, Field(description="Whoever has a role by the table gets an account at the first sign-in.")
    ] = True
    metrics: Annotated[
        str,
        Field(
            pattern=r"^(\[[0-9a-fA-F:]+\]|[^:\[\]/]+):[0-9]{1,5}$|^$",
            description="host:port at which Prometheus gets /metrics; without it nobody does.",
        ),
    ] = ""
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$", description="How much is logged.")] = "info"
    log_json: Annotated[bool, Field(description="Log lines as JSON, for machines.")] = False

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            if ip_network(proxy).prefixlen < 8:
                raise ValueError(f"{proxy} is everybody, not a proxy")
        return proxies

    @field_validator("oidc")
    @classmethod
    def _issuer(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        near = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if issuer and (parts.scheme != "https" and not (parts.scheme == "http" and near)):
            raise ValueError("an issuer begins with https://")
        if issuer and (not parts.hostname or parts.query or parts.fragment):
            raise ValueError("an issuer is an address without ? and #")
        return issuer

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        if SECRETS.is_dir():  # of a container
            sources.append(SecretsSettingsSource(settings_cls, secrets_dir=SECRETS))
        return (*sources, TomlConfigSettingsSource(settings_cls))

    def signing_key(self) -> bytes:
        """The key from the settings, else from the data folder, where the first start generates it (mode 0600)."""
        given = _secret(self.key, self.key_file, "key_file")
        if given is not None:
            if len(given) < 32:
                raise Invalid(
                    "The signing key is too short.", field="key", remedy="Give at least 32 random characters."
                )
            return given
        if self.bus != EMBEDDED:
            raise Invalid(
                "Services that run apart need one signing key.",
                field="key",
                remedy="Give all of them the same MITAGGER_KEY or MITAGGER_KEY_FILE.",
            )
        path = self.data / "signing.key"
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with open(path, "x", opener=_private, encoding="ascii") as file:
                file.write(secrets.token_hex(32))
        except FileExistsError:
            pass
        return path.read_bytes().strip()

    def key_for_search(self) -> str:
        """Meilisearch's key; empty without one. Raises Invalid."""
        return (_secret(self.search_key, self.search_key_file, "search_key_file") or b"").decode()

    def secret_for_oidc(self) -> str:
        """The secret of the OpenID Connect client; empty without one. Raises Invalid."""
        return (_secret(self.oidc_secret, self.oidc_secret_file, "oidc_secret_file") or b"").decode()


def _secret(given: SecretStr | None, file: Path | None, field: str) -> bytes | None:
    if given is not None:
        return given.get_secret_value().encode()
    if file is None:
        return None
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.", field=field) from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def table() -> str:
    """The settings as a Markdown table, for docs/settings.md."""
    rows = ["| setting | environment | default | what it says |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{name}` | `MITAGGER_{name.upper()}` | {_default(field)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _default(field: Any) -> str:
    if field.default_factory is not None:
        return "by platform"
    return f"`{field.default}`" if field.default is not None else "none"
