"""How long a failing event waits before it is tried again, and how often."""

import random
from typing import Final

ATTEMPTS: Final = 5
BASE_SECONDS: Final = 0.1
MAX_SECONDS: Final = 30.0
DEPENDENCY_SECONDS: Final = 1.0


def delay(attempt: int) -> float:
    """Seconds before attempt number `attempt` + 1 (1-based): exponential backoff with full jitter, as measured best in
    Brooker 2015 (AWS Architecture Blog, "Exponential Backoff And Jitter")."""
    return random.uniform(0, min(MAX_SECONDS, BASE_SECONDS * 4**attempt))  # noqa: S311 - spreads load, hides nothing
