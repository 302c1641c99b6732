"""Where a server is."""

import ipaddress

import httpx


def on_loopback(url: str) -> bool:
    """Whether the server is on this machine, so that a proxy of the environment (HTTP_PROXY) must not be asked."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
