"""Where Kafka is and how to talk to it, from one URL.

    kafka://one:9092,two:9092/name                       in the clear, on a network that is ours
    kafkas://user:password@one:9093/name?ca=/etc/ca.pem  encrypted (TLS), signed in (SASL)

`name` is put before topics and groups, and keeps installations on one cluster apart. Options: `mechanism` (PLAIN,
SCRAM-SHA-256, or SCRAM-SHA-512, which is the default), `ca` (file of the authority, default the system's), `cert` and
`key` (files, for a broker that wants to see a certificate).
"""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from aiokafka.helpers import create_ssl_context  # type: ignore[import-untyped, import-not-found, unused-ignore]

from shared.errors import Invalid

PORT: Final = 9092
PORT_TLS: Final = 9093
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
_OPTIONS: Final = frozenset({"mechanism", "ca", "cert", "key"})


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """`client` is what every aiokafka client is given; it may hold a password."""

    client: dict[str, Any] = field(repr=False)
    prefix: str = ""

    @property
    def servers(self) -> list[str]:
        """host:port of each."""
        return list(self.client["bootstrap_servers"])


def parsed(url: str) -> KafkaAddress:
    """Raises Invalid, without repeating the URL: it may hold a password."""
    parts = urlsplit(url)
    people, _, hosts = parts.netloc.rpartition("@")
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    name = parts.path.removeprefix("/")
    encrypted = parts.scheme == "kafkas"
    found = hosts.split(",")
    if parts.scheme not in ("kafka", "kafkas") or not all(found) or "/" in name or parts.fragment:
        raise _invalid("That is no address of Kafka.")
    if unknown := sorted(set(options) - _OPTIONS):
        raise _invalid(f"The address of Kafka has no option {unknown[0]!r}; there are {', '.join(sorted(_OPTIONS))}.")
    if people and not encrypted:
        raise _invalid("A password goes to Kafka encrypted only: write kafkas://.")
    port = PORT_TLS if encrypted else PORT
    client: dict[str, Any] = {"bootstrap_servers": [each if ":" in each else f"{each}:{port}" for each in found]}
    if encrypted:
        client |= {"security_protocol": "SASL_SSL" if people else "SSL", "ssl_context": _context(options)}
    if people:
        client |= _signing_in(people, options.get("mechanism", MECHANISMS[0]))
    return KafkaAddress(client, name and f"{name}.")


def _context(options: dict[str, str]) -> Any:
    try:
        return create_ssl_context(cafile=options.get("ca"), certfile=options.get("cert"), keyfile=options.get("key"))
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise _invalid(f"A certificate of the address of Kafka cannot be read ({type(error).__name__}).") from error


def _signing_in(people: str, mechanism: str) -> dict[str, str]:
    user, _, password = people.partition(":")
    if mechanism not in MECHANISMS:
        raise _invalid(f"MITagger signs in to Kafka by {', '.join(MECHANISMS)}, not by {mechanism!r}.")
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": unquote(user),
        "sasl_plain_password": unquote(password),
    }


def _invalid(message: str) -> Invalid:
    return Invalid(message, field="bus", remedy="Write kafka://host:port[,host:port]/name; see docs/operations.md.")
