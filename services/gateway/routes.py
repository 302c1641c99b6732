"""What the gateway passes on, as data: public route → service. Everything else is the gateway's own, or not there.

tests/integration/test_gateway.py compares this table with the routes of the services.
"""

from typing import Final, NamedTuple

# A large picture is prepared when it is first looked at (services/ingest/views.py).
VIEW_SECONDS: Final = 90.0

SERVICES: Final = ("gateway", "ingest", "nlp", "recommender", "annotation", "export")


class Route(NamedTuple):
    """One public route of a service."""

    method: str
    path: str
    service: str
    seconds: float = 30.0  # until the answer must be there
    granted: bool = False  # its path holds a signed grant, which the service checks; nobody needs to be signed in
    people: bool = False  # names people of a project: their roles and reviewers are looked up on the way
    within: bool = False  # recorded, and done within the project of its query: the record says in which
    daily: bool = False  # work, not administration: not in the record of administration, whoever does it
    previews: bool = False  # without `apply` in its body it changes nothing, and is not in that record either


ROUTES: Final = (
    Route("GET", "/api/v1/figures", "ingest"),
    Route("GET", "/api/v1/figures/{id}", "ingest"),
    Route("PATCH", "/api/v1/figures/{id}", "ingest"),
    Route("DELETE", "/api/v1/figures/{id}", "ingest"),
    Route("GET", "/api/v1/figures/{id}/view", "ingest", seconds=VIEW_SECONDS),
    Route("GET", "/api/v1/figures/{id}/render", "ingest", seconds=VIEW_SECONDS),
    Route("GET", "/api/v1/views/{grant}", "ingest", seconds=VIEW_SECONDS, granted=True),
    Route("GET", "/api/v1/views/{grant}/render", "ingest", seconds=VIEW_SECONDS, granted=True),
    Route("GET", "/api/v1/views/{grant}/tiles/{zoom}/{tile}", "ingest", seconds=VIEW_SECONDS, granted=True),
    Route("GET", "/api/v1/quarantine", "ingest"),
    Route("GET", "/api/v1/quarantine/{id}", "ingest"),
    Route("GET", "/api/v1/quarantine/{id}/render", "ingest", seconds=VIEW_SECONDS),
    Route("POST", "/api/v1/quarantine/{id}/confirm", "ingest"),
    # Every page and frame is made anew.
    Route("POST", "/api/v1/quarantine/{id}/black-out", "ingest", seconds=120.0),
    Route("POST", "/api/v1/quarantine/{id}/refuse", "ingest"),
    Route("GET", "/api/v1/erasures", "ingest"),
    Route("GET", "/api/v1/erasures/{id}", "ingest"),
    Route("POST", "/api/v1/erasures/{id}/confirm", "ingest"),
    Route("GET", "/api/v1/articles", "ingest"),
    Route("POST", "/api/v1/imports", "ingest", within=True),
    Route("POST", "/api/v1/imports/preview", "ingest", daily=True),
    Route("GET", "/api/v1/imports", "ingest"),
    Route("GET", "/api/v1/imports/{id}", "ingest"),
    Route("POST", "/api/v1/imports/{id}/rows", "ingest", seconds=600.0, daily=True),
    Route("GET", "/api/v1/imports/{id}/rejects", "ingest"),
    Route("GET", "/api/v1/vocabularies", "recommender"),
    Route("POST", "/api/v1/vocabularies/versions", "recommender"),
    Route("GET", "/api/v1/vocabularies/versions", "recommender"),
    Route("GET", "/api/v1/vocabularies/versions/{id}", "recommender"),
    Route("DELETE", "/api/v1/vocabularies/versions/{id}", "recommender"),
    Route("GET", "/api/v1/vocabularies/versions/{id}/difference", "recommender", seconds=360.0),
    Route("POST", "/api/v1/vocabularies/sets", "recommender"),
    Route("GET", "/api/v1/vocabularies/sets", "recommender"),
    Route("GET", "/api/v1/vocabularies/sets/{id}", "recommender"),
    Route("POST", "/api/v1/vocabularies/rollback", "recommender"),
    Route("POST", "/api/v1/mappings/versions", "recommender"),
    Route("GET", "/api/v1/mappings/versions", "recommender"),
    Route("GET", "/api/v1/mappings/versions/{id}", "recommender"),
    Route("DELETE", "/api/v1/mappings/versions/{id}", "recommender"),
    Route("POST", "/api/v1/mappings/sets", "recommender"),
    Route("GET", "/api/v1/mappings/sets", "recommender"),
    Route("GET", "/api/v1/mappings/sets/{id}", "recommender"),
    Route("POST", "/api/v1/mappings/rollback", "recommender"),
    Route("GET", "/api/v1/mappings/targets", "export"),
    # Every approved figure is looked at.
    Route("GET", "/api/v1/mappings/remap", "export", seconds=360.0),
    Route("GET", "/api/v1/learned", "recommender"),
    Route("POST", "/api/v1/learned/{id}/disable", "recommender"),
    Route("POST", "/api/v1/learned/{id}/enable", "recommender"),
    Route("GET", "/api/v1/learned/scores", "recommender"),
    Route("POST", "/api/v1/learned/scores/{project}/disable", "recommender"),
    Route("POST", "/api/v1/learned/scores/{project}/enable", "recommender"),
    Route("POST", "/api/v1/learned/{id}/widen", "recommender"),
    Route("POST", "/api/v1/learned/{id}/narrow", "recommender"),
    Route("GET", "/api/v1/vocabularies/axes", "recommender"),
    Route("POST", "/api/v1/vocabularies/axes/preview", "recommender", seconds=360.0, daily=True),
    Route("PUT", "/api/v1/vocabularies/axes", "recommender"),
    Route("POST", "/api/v1/vocabularies/axes/rollback", "recommender"),
    Route("GET", "/api/v1/concepts", "recommender"),
    Route("GET", "/api/v1/concepts/lineage", "recommender"),
    Route("GET", "/api/v1/concepts/{curie}", "recommender"),
    Route("GET", "/api/v1/concepts/{curie}/descendants", "recommender"),
    Route("GET", "/api/v1/figures/{id}/recommendations", "annotation"),
    Route("POST", "/api/v1/assignments", "annotation", people=True, within=True),
    Route("GET", "/api/v1/assignments", "annotation"),
    Route("POST", "/api/v1/assignments/plan", "annotation", seconds=120.0, people=True, previews=True, within=True),
    Route("POST", "/api/v1/assignments/plan/job", "annotation", people=True, within=True),
    Route("GET", "/api/v1/assignments/plan/job", "annotation"),
    Route("DELETE", "/api/v1/assignments/plan/job", "annotation", within=True),
    Route("POST", "/api/v1/assignments/move", "annotation", seconds=120.0, people=True, previews=True, within=True),
    Route("POST", "/api/v1/assignments/pool", "annotation", seconds=120.0, people=True, within=True),
    Route("POST", "/api/v1/assignments/next", "annotation", people=True, daily=True),
    Route("GET", "/api/v1/projects/{id}/bioportal", "recommender"),
    Route("PUT", "/api/v1/projects/{id}/bioportal", "recommender"),
    Route("GET", "/api/v1/projects/{id}/rules", "annotation"),
    Route("PUT", "/api/v1/projects/{id}/rules", "annotation"),
    Route("GET", "/api/v1/projects/{id}/measures", "annotation"),
    Route("POST", "/api/v1/measures/rebuild", "annotation"),
    Route("GET", "/api/v1/measures/rebuild", "annotation"),
    Route("GET", "/api/v1/projects/{id}/guidelines", "annotation"),
    Route("PUT", "/api/v1/projects/{id}/guidelines", "annotation"),
    Route("GET", "/api/v1/assignments/{id}", "annotation"),
    Route("POST", "/api/v1/assignments/{id}/decisions", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/open", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/recommendations/refresh", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/submit", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/review", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/undo", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/redo", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/skip", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/flag", "annotation", daily=True),
    Route("DELETE", "/api/v1/assignments/{id}/flag", "annotation"),
    Route("POST", "/api/v1/assignments/{id}/recall", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/review/begin", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/review/decisions", "annotation", daily=True),
    Route("POST", "/api/v1/assignments/{id}/reopen", "annotation"),
    Route("POST", "/api/v1/assignments/{id}/release", "annotation"),
    Route("POST", "/api/v1/assignments/{id}/comments", "annotation", daily=True),
    Route("GET", "/api/v1/assignments/{id}/comments", "annotation"),
    Route("GET", "/api/v1/assignments/{id}/history", "annotation"),
    Route("GET", "/api/v1/gold", "annotation"),
    Route("GET", "/api/v1/figures/{id}/gold", "annotation"),
    Route("PUT", "/api/v1/figures/{id}/gold", "annotation"),
    Route("DELETE", "/api/v1/figures/{id}/gold", "annotation"),
    Route("GET", "/api/v1/projects/{id}/standards", "annotation"),
    Route("PUT", "/api/v1/projects/{id}/standards", "annotation"),
    Route("GET", "/api/v1/projects/{id}/newcomers", "annotation"),
    Route("PUT", "/api/v1/projects/{id}/newcomers/{person}", "annotation"),
    Route("GET", "/api/v1/projects/{id}/scores/{person}", "annotation"),
    Route("GET", "/api/v1/assignments/{id}/feedback", "annotation"),
    Route("GET", "/api/v1/assignments/{id}/as-it-stood", "annotation"),
    Route("POST", "/api/v1/assignments/{id}/revert", "annotation", daily=True),
    Route("GET", "/api/v1/adjudications", "annotation"),
    Route("GET", "/api/v1/figures/{id}/adjudication", "annotation"),
    Route("POST", "/api/v1/figures/{id}/adjudication", "annotation", daily=True),
    Route("POST", "/api/v1/figures/{id}/adjudication/choices", "annotation", daily=True),
    Route("POST", "/api/v1/exports", "export", within=True),
    Route("GET", "/api/v1/exports", "export"),
    Route("GET", "/api/v1/exports/{id}", "export"),
    Route("GET", "/api/v1/search", "export"),
    Route("POST", "/api/v1/search/rebuild", "export"),
    Route("GET", "/api/v1/search/rebuild", "export"),
    Route("GET", "/api/v1/schemas/figures.xsd", "export"),
)
