"""What the legend's analysis says around a mention: whether it is negated or uncertain, and whose panels it is."""

from services.recommender.stretches import Stretches
from shared.events.legend import Analysis, Assertion
from shared.findings import Findings


class Surroundings:
    """Of one text."""

    def __init__(self, read: Analysis | Findings) -> None:
        scopes = ((scope.assertion, scope.start, scope.end) for scope in read.scopes)
        panels = ((panel.label, panel.start, panel.end) for panel in read.panels)
        self._scopes = Stretches[Assertion](scopes) if read.scopes else None
        self._panels = Stretches[str](panels) if read.panels else None

    def assertion(self, start: int, end: int) -> Assertion:
        """Of what is both negated and uncertain, the negation is what the legend says."""
        if self._scopes is None or not (scopes := self._scopes.around(start, end)):
            return "present"
        return "absent" if "absent" in scopes else "uncertain"

    def panels(self, start: int, end: int) -> tuple[str, ...]:
        return self._panels.around(start, end) if self._panels else ()
