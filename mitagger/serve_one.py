"""One service in a process of its own, on the distributed engines. Nothing of the others is loaded."""

import importlib
from collections.abc import Sequence

from services.gateway.routes import SERVICES
from shared.errors import Invalid, Unsupported
from shared.settings import EMBEDDED, Settings


def run(settings: Settings, names: Sequence[str]) -> None:
    """Serves the service that is named until interrupted. Raises Invalid when the port or the data folder is taken, or
    a name is none of a service; Unsupported on the embedded engines, or when some but not all are named."""
    if unknown := sorted(set(names) - set(SERVICES)):
        raise Invalid(f"There is no service {unknown[0]!r}.", remedy=f"These are: {', '.join(SERVICES)}.")
    if settings.bus == EMBEDDED:
        raise Unsupported(
            "Running some of the services needs the distributed engines (Kafka, MongoDB): the embedded ones serve one"
            " process.",
            remedy="Run mitagger serve without names, or set MITAGGER_BUS and MITAGGER_DOCUMENTS.",
        )
    if len(names) > 1:
        raise Invalid("A process serves one service, or all.", remedy="Start a process for each.")
    importlib.import_module(f"services.{names[0]}.__main__").run(settings)
