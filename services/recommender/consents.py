"""Whether texts of a project may leave the site for BioPortal: off until an administrator says so, for reports by a
consent of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.recommender.model import Consent
from shared.documents.pages import every
from shared.documents.port import Collection, Documents
from shared.errors import Invalid

PAGE = 500


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be sent of a project: legends, and reports too. A project without one sends nothing."""

    reports: bool


class Consents:
    """Over the documents port."""

    def __init__(self, documents: Documents) -> None:
        self._consents: Collection[Consent] = documents.collection(Consent)

    async def of(self, project: str) -> Consent:
        """At version 0 where nobody ever said anything."""
        return next(iter(await self._consents.get_many([project])), Consent(id=project))

    async def allowed(self) -> Mapping[str, Allowed]:
        """The projects that may send texts. Raises Unavailable: then nobody knows, and nothing may be sent."""
        consents = every(self._consents, limit=PAGE)
        return {one.id: Allowed(reports=bool(one.reports_by)) async for one in consents if one.legends_by}

    async def say(
        self, project: str, *, legends: bool, reports: bool, by: str, at: datetime, version: int | None = None
    ) -> Consent:
        """Gives or takes back consents. Whoever gave one that stands already gave it. Raises Conflict, Invalid."""
        if reports and not legends:
            raise Invalid(
                "Reports cannot be sent where legends are not.",
                field="reports",
                remedy="Consent to both, or to legends alone.",
            )

        def said(one: Consent) -> Consent:
            if bool(one.legends_by) != legends:
                one = one.changed(legends_by=by if legends else "", legends_at=at if legends else None)
            if bool(one.reports_by) != reports:
                one = one.changed(reports_by=by if reports else "", reports_at=at if reports else None)
            return one

        return await self._consents.update(
            project, lambda one: (said(one), ()), version=version, initial=Consent(id=project)
        )
