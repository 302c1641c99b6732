"""Whether a request comes from our own pages: the check against forged requests (CSRF).

The cookie is SameSite=Strict already; this is the second line (OWASP's CSRF cheat sheet, "Fetch Metadata" and
"Verifying Origin").
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from shared.errors import Forbidden

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_foreign(method: str, headers: Mapping[str, str]) -> None:
    """Raises Forbidden when another site makes the browser send an unsafe request. Browsers send one of the two
    headers with every unsafe request; a program that sends neither is not driven by a foreign page."""
    if method in SAFE:
        return
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    else:
        foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if foreign:
        raise Forbidden("Another site sent this request with your session.", remedy="Use MITagger's own pages.")
