"""Documents in the shapes of older stores, made into today's. Pure."""

from typing import Any


def handout_without_lease(body: dict[str, Any]) -> dict[str, Any]:
    """Until its shape 2 a hand-out said when its lease ran out; now whoever works on it says that they live."""
    return {name: value for name, value in body.items() if name != "leased_until"}
