"""Where a server is, and who asks it."""

import ipaddress
from importlib.metadata import version

import httpx


def on_loopback(url: str) -> bool:
    """Whether the server is on this machine, so that a proxy of the environment (HTTP_PROXY) must not be asked."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def introduced(key: str) -> dict[str, str]:
    """Headers that say who asks: this client, by whose name people know its sessions among theirs, and its key."""
    name = {"User-Agent": f"MITagger-client/{version('mitagger')}"}
    return name | {"Authorization": f"Bearer {key}"} if key else name
