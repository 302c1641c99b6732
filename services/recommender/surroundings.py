"""What the legend's analysis says around a mention: whether it is negated or uncertain, and whose panels it is."""

from services.recommender.stretches import Stretches
from shared.events.legend import Analysis, Assertion


class Surroundings:
    """Of one text."""

    def __init__(self, analysis: Analysis) -> None:
        self._scopes = (
            Stretches[Assertion]((scope.assertion, scope.start, scope.end) for scope in analysis.scopes)
            if analysis.scopes
            else None
        )
        self._panels = Stretches[str]((panel.label, panel.start, panel.end) for panel in analysis.panels)

    def assertion(self, start: int, end: int) -> Assertion:
        """Of what is both negated and uncertain, the negation is what the legend says."""
        scopes = self._scopes.around(start, end) if self._scopes else ()
        if "absent" in scopes:
            return "absent"
        return "uncertain" if "uncertain" in scopes else "present"

    def panels(self, start: int, end: int) -> tuple[str, ...]:
        return self._panels.around(start, end)
