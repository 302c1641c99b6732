"""Every call of the public API once, without doing it: both clients send these."""

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import IO, Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter, ValidationError

from mitagger.client import models as m
from mitagger.client.errors import NotMitagger

T = TypeVar("T")

API = "/api/v1"
DEFAULT = "default"  # the project that is always there


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and what its answer is. `answer` null: nothing is expected."""

    method: str
    path: str
    answer: Any
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] | None = None
    parts: Mapping[str, tuple[str | None, Any]] | None = None  # of a multipart form: (file name, text or file)
    of_project: bool = False  # whether it is about one project, which the client names

    @property
    def safe(self) -> bool:
        """Whether sending it twice equals once (RFC 9110, 9.2.1), so that a lost connection allows another try."""
        return self.method == "GET"

    def read(self, body: bytes) -> T:
        """The answer. Raises NotMitagger when the body is not one."""
        if self.answer is None:
            return None  # type: ignore[return-value]
        try:
            return TypeAdapter(self.answer).validate_json(body or b"null")  # type: ignore[no-any-return]
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise NotMitagger(
                f"The server's answer to {self.method} {self.path} is not as expected ({place}: {first['msg']})."
                " Is it another version of MITagger?"
            ) from error

    def at(self, cursor: str) -> "Call[T]":
        """The same call for the page at `cursor`."""
        return replace(self, params={**self.params, "cursor": cursor})

    def within(self, project: str) -> "Call[T]":
        """The same call about this project, where it is about one; "": as the server does, about the default."""
        return replace(self, params={**self.params, "project": project}) if project and self.of_project else self


def _get(path: str, answer: Any, **params: Any) -> Call[Any]:
    given = {key: value for key, value in params.items() if value not in (None, "", [], ())}
    return Call("GET", f"{API}{path}", answer, given)


def _post(path: str, answer: Any, json: Any = None, *, version: int | None = None) -> Call[Any]:
    return Call("POST", f"{API}{path}", answer, json=json, headers=_seen(version))


def _of_project(call: Call[T]) -> Call[T]:
    return replace(call, of_project=True)


def _seen(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _id(id: str) -> str:
    return quote(id, safe=":")


# --- people and keys


def sign_in(name: str, password: str) -> Call[m.Session]:
    return _post("/session", m.Session, {"name": name, "password": password})


def session() -> Call[m.Session]:
    return _get("/session", m.Session)


def sign_out() -> Call[None]:
    return Call("DELETE", f"{API}/session", None)


def accounts() -> Call[m.Page[m.Account]]:
    return _get("/accounts", m.Page[m.Account])


def create_account(name: str, password: str, roles: Sequence[m.Role], project: str) -> Call[m.Account]:
    body = {"name": name, "password": password, "roles": list(roles), "project": project or DEFAULT}
    return _post("/accounts", m.Account, body)


def keys() -> Call[m.Page[m.ApiKey]]:
    return _get("/keys", m.Page[m.ApiKey])


def invite(name: str, roles: Sequence[m.Role], days: int, project: str) -> Call[m.AccountLink]:
    body = {"name": name, "roles": list(roles), "days": days, "project": project or DEFAULT}
    return _post("/invitations", m.AccountLink, body)


def new_link(person: str, days: int) -> Call[m.AccountLink]:
    return _post(f"/accounts/{_id(person)}/link", m.AccountLink, {"days": days})


def change_account(person: str, changes: Mapping[str, Any]) -> Call[m.Account]:
    return Call("PATCH", f"{API}/accounts/{_id(person)}", m.Account, json=dict(changes))


def delete_account(person: str) -> Call[None]:
    return Call("DELETE", f"{API}/accounts/{_id(person)}", None)


def end_sessions(person: str) -> Call[None]:
    return Call("DELETE", f"{API}/accounts/{_id(person)}/sessions", None)


def join(link: str, password: str) -> Call[m.Session]:
    return _post("/join", m.Session, {"link": link, "password": password})


def change_password(old: str, password: str) -> Call[m.Session]:
    return Call("PUT", f"{API}/session/password", m.Session, json={"old": old, "password": password})


def sign_out_everywhere() -> Call[None]:
    return Call("DELETE", f"{API}/sessions", None)


def create_key(name: str, roles: Sequence[m.Role], days: int | None, projects: Sequence[str]) -> Call[m.ApiKey]:
    body = {"name": name, "roles": list(roles), "days": days, "projects": list(projects)}
    return _post("/keys", m.ApiKey, body)


def create_personal_key(name: str, roles: Sequence[m.Role], projects: Sequence[str], days: int) -> Call[m.ApiKey]:
    body = {"name": name, "roles": list(roles), "projects": list(projects), "days": days}
    return _post("/keys/personal", m.ApiKey, body)


def audit(since: str, until: str) -> Call[m.Page[m.AuditEntry]]:
    return _get("/audit", m.Page[m.AuditEntry], since=since, until=until, limit=200)


def delete_key(id: str) -> Call[None]:
    return Call("DELETE", f"{API}/keys/{_id(id)}", None)


# --- figures


def upload(content: bytes | Iterable[bytes] | AsyncIterable[bytes]) -> Call[m.Upload]:
    headers = {"Content-Type": "application/octet-stream"}
    return Call("POST", f"{API}/uploads", m.Upload, content=content, headers=headers)


def create_figure(file_name: str, file: IO[bytes] | None, fields: Mapping[str, Any]) -> Call[m.Figure]:
    parts: dict[str, tuple[str | None, Any]] = {
        key: (None, str(value)) for key, value in fields.items() if value is not None
    }
    if file is not None:
        parts["file"] = (file_name, file)
    return _of_project(Call("POST", f"{API}/figures", m.Figure, parts=parts))


def figures(*, article: str = "", limit: int | None = None) -> Call[m.Page[m.Figure]]:
    return _of_project(_get("/figures", m.Page[m.Figure], article=article, limit=limit))


def figure(id: str) -> Call[m.Figure]:
    return _get(f"/figures/{_id(id)}", m.Figure)


def change_figure(id: str, changes: Mapping[str, Any], version: int | None) -> Call[m.Figure]:
    return Call("PATCH", f"{API}/figures/{_id(id)}", m.Figure, json=dict(changes), headers=_seen(version))


def delete_figure(id: str) -> Call[None]:
    return Call("DELETE", f"{API}/figures/{_id(id)}", None)


def measures(project: str, since: date | None, until: date | None) -> Call[m.Measures]:
    asked = {"since": since and since.isoformat(), "until": until and until.isoformat()}
    return _get(f"/projects/{_id(project)}/measures", m.Measures, **asked)


def start_measures_rebuild() -> Call[m.MeasuresRebuild]:
    return _post("/measures/rebuild", m.MeasuresRebuild, {})


def measures_rebuild() -> Call[m.MeasuresRebuild]:
    return _get("/measures/rebuild", m.MeasuresRebuild)


def propose_erasure(selection: Mapping[str, Any]) -> Call[m.Erasure]:
    return _of_project(_post("/erasures", m.Erasure, dict(selection)))


def confirm_erasure(id: str, figures: int) -> Call[m.Erasure]:
    return _post(f"/erasures/{_id(id)}/confirm", m.Erasure, {"figures": figures})


def erasures() -> Call[m.Page[m.Erasure]]:
    return _of_project(_get("/erasures", m.Page[m.Erasure]))


def erasure(id: str) -> Call[m.Erasure]:
    return _get(f"/erasures/{_id(id)}", m.Erasure)


def view(id: str, page: int, frame: int) -> Call[m.PageView]:
    return _get(f"/figures/{_id(id)}/view", m.PageView, page=page, frame=frame)


def rendered(id: str, asked: Mapping[str, Any]) -> str:
    """The address of a render."""
    given = {name: value for name, value in asked.items() if value is not None}
    return f"{API}/figures/{_id(id)}/render?{urlencode(given)}"


def articles() -> Call[m.Page[m.Article]]:
    return _of_project(_get("/articles", m.Page[m.Article]))


# --- quarantine


def quarantine() -> Call[m.Page[m.Quarantined]]:
    return _of_project(_get("/quarantine", m.Page[m.Quarantined]))


def quarantined(id: str) -> Call[m.Quarantined]:
    return _get(f"/quarantine/{_id(id)}", m.Quarantined)


def quarantine_rendered(id: str, page: int, frame: int) -> str:
    """The address of a render."""
    return f"{API}/quarantine/{_id(id)}/render?page={page}&frame={frame}"


def confirm(id: str, version: int | None) -> Call[m.Quarantined]:
    return _post(f"/quarantine/{_id(id)}/confirm", m.Quarantined, version=version)


def black_out(id: str, rectangles: Sequence[m.Rectangle], version: int | None) -> Call[m.Quarantined]:
    body = {"rectangles": [one.model_dump() for one in rectangles]}
    return _post(f"/quarantine/{_id(id)}/black-out", m.Quarantined, body, version=version)


def refuse(id: str, reason: m.Refusal, version: int | None) -> Call[m.Quarantined]:
    return _post(f"/quarantine/{_id(id)}/refuse", m.Quarantined, {"reason": reason}, version=version)


# --- taking figures in


def start_import(name: str, total: int | None) -> Call[m.Import]:
    return _of_project(_post("/imports", m.Import, {"name": name, "total": total}))


def import_rows(id: str, rows: Sequence[Mapping[str, Any]]) -> Call[m.RowResults]:
    return _post(f"/imports/{_id(id)}/rows", m.RowResults, {"rows": [dict(row) for row in rows]})


def preview_rows(rows: Sequence[Mapping[str, Any]]) -> Call[m.RowResults]:
    return _of_project(_post("/imports/preview", m.RowResults, {"rows": [dict(row) for row in rows]}))


def collect_files(dry_run: bool) -> Call[m.Collected]:
    return _post("/files/collect", m.Collected, {"dry_run": dry_run})


def import_archive(file_name: str, file: IO[bytes]) -> Call[m.Import]:
    return _of_project(Call("POST", f"{API}/imports/archive", m.Import, parts={"file": (file_name, file)}))


def imports() -> Call[m.Page[m.Import]]:
    return _of_project(_get("/imports", m.Page[m.Import]))


def import_(id: str) -> Call[m.Import]:
    return _get(f"/imports/{_id(id)}", m.Import)


def rejects(id: str) -> Call[m.Page[m.Reject]]:
    return _get(f"/imports/{_id(id)}/rejects", m.Page[m.Reject])


# --- concepts


def vocabularies() -> Call[m.Page[m.Vocabulary]]:
    return _get("/vocabularies", m.Page[m.Vocabulary])


def learned(project: str) -> Call[m.Page[m.Learned]]:
    return _get("/learned", m.Page[m.Learned], project=project)


def learned_scores() -> Call[m.Page[m.Scores]]:
    return _get("/learned/scores", m.Page[m.Scores])


def switch_scores(project: str, on: bool) -> Call[m.Scores]:
    return _post(f"/learned/scores/{_id(project)}/{'enable' if on else 'disable'}", m.Scores)


def bioportal_consent(project: str) -> Call[m.BioPortalConsent]:
    return _get(f"/projects/{_id(project)}/bioportal", m.BioPortalConsent)


def allow_bioportal(project: str, legends: bool, reports: bool) -> Call[m.BioPortalConsent]:
    body = {"legends": legends, "reports": reports}
    return Call("PUT", f"{API}/projects/{_id(project)}/bioportal", m.BioPortalConsent, json=body)


def scope_learned(id: str, scope: str) -> Call[m.Learned]:
    return _post(f"/learned/{_id(id)}/{'widen' if scope == 'site' else 'narrow'}", m.Learned)


def switch_learned(id: str, on: bool) -> Call[m.Learned]:
    return _post(f"/learned/{_id(id)}/{'enable' if on else 'disable'}", m.Learned)


def import_vocabulary(
    name: str, upload: str, file: str, *, version: str, axis: str, activate: bool
) -> Call[m.VocabularyVersion]:
    body: dict[str, Any] = {"name": name, "upload": upload, "file": file, "version": version, "activate": activate}
    if axis:
        body["axis"] = axis
    return _post("/vocabularies/versions", m.VocabularyVersion, body)


def vocabulary_versions(name: str) -> Call[m.Page[m.VocabularyVersion]]:
    return _get("/vocabularies/versions", m.Page[m.VocabularyVersion], name=name)


def vocabulary_version(id: str) -> Call[m.VocabularyVersion]:
    return _get(f"/vocabularies/versions/{_id(id)}", m.VocabularyVersion)


def delete_vocabulary_version(id: str) -> Call[None]:
    return Call("DELETE", f"{API}/vocabularies/versions/{_id(id)}", None)


def vocabulary_difference(id: str, against: str) -> Call[m.VocabularyDifference]:
    return _get(f"/vocabularies/versions/{_id(id)}/difference", m.VocabularyDifference, against=against)


def activate_vocabularies(ids: Sequence[str]) -> Call[m.VocabularySet]:
    return _post("/vocabularies/sets", m.VocabularySet, {"activate": list(ids)})


def deactivate_vocabulary(name: str) -> Call[m.VocabularySet]:
    return _post("/vocabularies/sets", m.VocabularySet, {"deactivate": name})


def vocabulary_sets() -> Call[m.Page[m.VocabularySet]]:
    return _get("/vocabularies/sets", m.Page[m.VocabularySet])


def vocabulary_set(id: str) -> Call[m.VocabularySet]:
    return _get(f"/vocabularies/sets/{_id(id)}", m.VocabularySet)


def roll_back_vocabularies() -> Call[m.VocabularySet]:
    return _post("/vocabularies/rollback", m.VocabularySet)


def import_mappings(
    name: str, upload: str, file: str, *, version: str, least_confidence: float, activate: bool
) -> Call[m.MappingVersion]:
    body: dict[str, Any] = {"name": name, "upload": upload, "file": file, "version": version, "activate": activate}
    return _post("/mappings/versions", m.MappingVersion, {**body, "least_confidence": least_confidence})


def take_mappings(name: str, vocabulary: str, *, version: str, activate: bool) -> Call[m.MappingVersion]:
    body = {"name": name, "vocabulary": vocabulary, "version": version, "activate": activate}
    return _post("/mappings/versions", m.MappingVersion, body)


def mapping_versions(name: str) -> Call[m.Page[m.MappingVersion]]:
    return _get("/mappings/versions", m.Page[m.MappingVersion], name=name)


def mapping_version(id: str) -> Call[m.MappingVersion]:
    return _get(f"/mappings/versions/{_id(id)}", m.MappingVersion)


def delete_mapping_version(id: str) -> Call[None]:
    return Call("DELETE", f"{API}/mappings/versions/{_id(id)}", None)


def activate_mappings(ids: Sequence[str]) -> Call[m.MappingSet]:
    return _post("/mappings/sets", m.MappingSet, {"activate": list(ids)})


def deactivate_mappings(name: str) -> Call[m.MappingSet]:
    return _post("/mappings/sets", m.MappingSet, {"deactivate": name})


def mapping_sets() -> Call[m.Page[m.MappingSet]]:
    return _get("/mappings/sets", m.Page[m.MappingSet])


def mapping_set(id: str) -> Call[m.MappingSet]:
    return _get(f"/mappings/sets/{_id(id)}", m.MappingSet)


def roll_back_mappings() -> Call[m.MappingSet]:
    return _post("/mappings/rollback", m.MappingSet)


def mapping_targets() -> Call[m.MappingTargets]:
    return _get("/mappings/targets", m.MappingTargets)


def remap(source: str, target: str, limit: int | None) -> Call[m.Remap]:
    return _of_project(_get("/mappings/remap", m.Remap, **{"from": source, "to": target, "limit": limit}))


def axis_table() -> Call[m.AxisTable]:
    return _get("/vocabularies/axes", m.AxisTable)


def preview_axis_table(table: Mapping[str, Any]) -> Call[m.AxisPreview]:
    return _post("/vocabularies/axes/preview", m.AxisPreview, dict(table))


def apply_axis_table(table: Mapping[str, Any]) -> Call[m.VocabularySet]:
    return Call("PUT", f"{API}/vocabularies/axes", m.VocabularySet, json=dict(table))


def roll_back_axis_table() -> Call[m.VocabularySet]:
    return _post("/vocabularies/axes/rollback", m.VocabularySet)


def concepts(words: str, *, axis: str = "", limit: int | None = None) -> Call[m.Page[m.Concept]]:
    return _get("/concepts", m.Page[m.Concept], q=words, axis=axis, limit=limit)


def concept(curie: str) -> Call[m.ConceptDetail]:
    return _get(f"/concepts/{_id(curie)}", m.ConceptDetail)


def lineage(curies: Sequence[str]) -> Call[m.Page[m.Lineage]]:
    return _get("/concepts/lineage", m.Page[m.Lineage], curie=list(curies))


# --- assignments


def recommendations(figure: str) -> Call[m.Recommendations]:
    return _get(f"/figures/{_id(figure)}/recommendations", m.Recommendations)


def assign(body: Mapping[str, Any]) -> Call[m.Assigned]:
    return _of_project(_post("/assignments", m.Assigned, dict(body)))


def assignments(**filters: Any) -> Call[m.Page[m.AssignmentSummary]]:
    return _of_project(_get("/assignments", m.Page[m.AssignmentSummary], **filters))


def assignment(id: str) -> Call[m.Assignment]:
    return _get(f"/assignments/{_id(id)}", m.Assignment)


def decide(id: str, decision: Mapping[str, Any], version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/decisions", m.Assignment, dict(decision), version=version)


def submit(id: str, *, no_tag_applies: bool, no_tag_on: Sequence[str], version: int | None) -> Call[m.Assignment]:
    body: dict[str, Any] = {"no_tag_applies": no_tag_applies}
    if no_tag_on:
        body["no_tag_on"] = list(no_tag_on)
    return _post(f"/assignments/{_id(id)}/submit", m.Assignment, body, version=version)


def review(id: str, verdict: str, comment: str, reasons: Mapping[str, str], version: int | None) -> Call[m.Assignment]:
    body: dict[str, Any] = {"verdict": verdict, "comment": comment}
    if reasons:
        body["reasons"] = [{"key": key, "text": text} for key, text in reasons.items()]
    return _post(f"/assignments/{_id(id)}/review", m.Assignment, body, version=version)


def correct(id: str, decision: Mapping[str, Any], version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/review/decisions", m.Assignment, dict(decision), version=version)


def next_assignment() -> Call[m.Assignment | None]:
    return _of_project(_post("/assignments/next", m.Assignment | None))


def plan(body: Mapping[str, Any]) -> Call[m.Plan]:
    return _of_project(_post("/assignments/plan", m.Plan, dict(body)))


def begin_handout(body: Mapping[str, Any]) -> Call[m.Handout]:
    return _of_project(_post("/assignments/plan/job", m.Handout, dict(body)))


def handout() -> Call[m.Handout]:
    return _of_project(_get("/assignments/plan/job", m.Handout))


def stop_handout() -> Call[m.Handout]:
    return _of_project(Call("DELETE", f"{API}/assignments/plan/job", m.Handout))


def move(body: Mapping[str, Any]) -> Call[m.Move]:
    return _of_project(_post("/assignments/move", m.Move, dict(body)))


def pool(body: Mapping[str, Any]) -> Call[m.Pooled]:
    return _of_project(_post("/assignments/pool", m.Pooled, dict(body)))


def projects() -> Call[m.Projects]:
    return _get("/projects", m.Projects)


def create_project(name: str, id: str) -> Call[m.Project]:
    return _post("/projects", m.Project, {"name": name, "id": id})


def project(id: str) -> Call[m.Project]:
    return _get(f"/projects/{_id(id)}", m.Project)


def change_project(id: str, changes: Mapping[str, Any]) -> Call[m.Project]:
    return Call("PATCH", f"{API}/projects/{_id(id)}", m.Project, json=dict(changes))


def members(project: str) -> Call[m.Members]:
    return _get(f"/projects/{_id(project)}/members", m.Members)


def set_member(project: str, person: str, roles: Sequence[m.Role], reviewer: str | None) -> Call[m.Member]:
    body = {"person": person, "roles": list(roles), "reviewer": reviewer}
    return Call("PUT", f"{API}/projects/{_id(project)}/members", m.Member, json=body)


def remove_member(project: str, person: str, to: str, reviewer: str) -> Call[m.Left]:
    given = {name: value for name, value in (("to", to), ("reviewer", reviewer)) if value}
    return Call("DELETE", f"{API}/projects/{_id(project)}/members/{_id(person)}", m.Left, given)


def gold(project: str) -> Call[m.Page[m.Gold]]:
    return _get("/gold", m.Page[m.Gold], project=project)


def gold_of(figure: str) -> Call[m.Gold]:
    return _get(f"/figures/{_id(figure)}/gold", m.Gold)


def mark_gold(figure: str) -> Call[m.Gold]:
    return Call("PUT", f"{API}/figures/{_id(figure)}/gold", m.Gold)


def withdraw_gold(figure: str) -> Call[m.Gold]:
    return Call("DELETE", f"{API}/figures/{_id(figure)}/gold", m.Gold)


def standards(project: str) -> Call[m.Standards]:
    return _get(f"/projects/{_id(project)}/standards", m.Standards)


def set_standards(project: str, asked: Mapping[str, Any], version: int | None) -> Call[m.Standards]:
    path = f"{API}/projects/{_id(project)}/standards"
    return Call("PUT", path, m.Standards, json=dict(asked), headers=_seen(version))


def newcomers(project: str) -> Call[list[m.Newcomer]]:
    return _get(f"/projects/{_id(project)}/newcomers", list[m.Newcomer])


def let_in(project: str, person: str, reason: str) -> Call[m.Newcomer]:
    path = f"{API}/projects/{_id(project)}/newcomers/{_id(person)}"
    return Call("PUT", path, m.Newcomer, json={"reason": reason})


def gold_scores(project: str, person: str) -> Call[m.Page[m.GoldScore]]:
    return _get(f"/projects/{_id(project)}/scores/{_id(person)}", m.Page[m.GoldScore])


def feedback(assignment: str) -> Call[m.Feedback]:
    return _get(f"/assignments/{_id(assignment)}/feedback", m.Feedback)


def rules(project: str) -> Call[m.Rules]:
    return _get(f"/projects/{_id(project)}/rules", m.Rules)


def set_rules(project: str, wanted: Mapping[str, Any], version: int | None) -> Call[m.Rules]:
    path = f"{API}/projects/{_id(project)}/rules"
    return Call("PUT", path, m.Rules, json=dict(wanted), headers=_seen(version))


def guidelines(project: str, number: int | None) -> Call[m.Guidelines]:
    return _get(f"/projects/{_id(project)}/guidelines", m.Guidelines, number=number)


def write_guidelines(project: str, text: str, number: int | None) -> Call[m.Guidelines]:
    body = {"text": text, "number": number}
    return Call("PUT", f"{API}/projects/{_id(project)}/guidelines", m.Guidelines, json=body)


def open_assignment(id: str) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/open", m.Assignment)


def refresh_recommendations(id: str, version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/recommendations/refresh", m.Assignment, version=version)


def undo(id: str, version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/undo", m.Assignment, version=version)


def redo(id: str, version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/redo", m.Assignment, version=version)


def skip(id: str, reason: m.ConcernReason, comment: str, version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/skip", m.Assignment, _concern(reason, comment), version=version)


def flag(id: str, reason: m.ConcernReason, comment: str, version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/flag", m.Assignment, _concern(reason, comment), version=version)


def _concern(reason: m.ConcernReason, comment: str) -> dict[str, Any]:
    return {"reason": reason, "comment": comment}


def settle_concern(id: str) -> Call[m.Assignment]:
    return Call("DELETE", f"{API}/assignments/{_id(id)}/flag", m.Assignment)


def recall(id: str, version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/recall", m.Assignment, version=version)


def begin_review(id: str) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/review/begin", m.Assignment)


def reopen(id: str, reason: str, version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/reopen", m.Assignment, {"reason": reason}, version=version)


def release(id: str, version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/release", m.Assignment, version=version)


def comment(id: str, text: str, key: str | None, thread: str | None) -> Call[m.Comment]:
    return _post(f"/assignments/{_id(id)}/comments", m.Comment, {"text": text, "key": key, "thread": thread})


def comments(id: str) -> Call[m.Page[m.Comment]]:
    return _get(f"/assignments/{_id(id)}/comments", m.Page[m.Comment])


def history(id: str) -> Call[m.Page[m.HistoryEntry]]:
    return _get(f"/assignments/{_id(id)}/history", m.Page[m.HistoryEntry])


def as_it_stood(id: str, number: int | None, at: datetime | None) -> Call[m.Stood]:
    return _get(f"/assignments/{_id(id)}/as-it-stood", m.Stood, number=number, at=at.isoformat() if at else None)


def revert(id: str, number: int, version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/revert", m.Assignment, {"number": number}, version=version)


def adjudications() -> Call[m.Page[m.WaitingFigure]]:
    return _get("/adjudications", m.Page[m.WaitingFigure])


def adjudication(figure: str) -> Call[m.Adjudication]:
    return _get(f"/figures/{_id(figure)}/adjudication", m.Adjudication)


def choose(figure: str, keep: Sequence[str], drop: Sequence[str], clear: Sequence[str]) -> Call[m.Adjudication]:
    body = {"keep": list(keep), "drop": list(drop), "clear": list(clear)}
    return _post(f"/figures/{_id(figure)}/adjudication/choices", m.Adjudication, body)


def adjudicate(figure: str) -> Call[m.Adjudication]:
    return _post(f"/figures/{_id(figure)}/adjudication", m.Adjudication)


# --- results


def start_export(
    format: m.ExportFormat, statuses: Sequence[str], figures: Sequence[str] | None, map_to: str
) -> Call[m.Export]:
    body: dict[str, Any] = {"format": format, **({"map_to": map_to} if map_to else {})}
    if statuses:
        body["statuses"] = list(statuses)
    if figures is not None:
        body["figures"] = list(figures)
    return _of_project(_post("/exports", m.Export, body))


def exports() -> Call[m.Page[m.Export]]:
    return _of_project(_get("/exports", m.Page[m.Export]))


def export(id: str) -> Call[m.Export]:
    return _get(f"/exports/{_id(id)}", m.Export)


def start_rebuild() -> Call[m.Rebuild]:
    return _post("/search/rebuild", m.Rebuild, {})


def rebuild() -> Call[m.Rebuild]:
    return _get("/search/rebuild", m.Rebuild)


def search(words: str, **filters: Any) -> Call[m.Found]:
    return _of_project(_get("/search", m.Found, q=words, **filters))


# --- the system


def status() -> Call[m.Status]:
    return _of_project(_get("/status", m.Status))


def events(*, after: str = "", topics: Sequence[str] = (), limit: int | None = None) -> Call[m.Events]:
    return _of_project(_get("/events", m.Events, after=after, topic=list(topics), limit=limit))


def read_event(text: str) -> m.EventRecord:
    """The event of a message of the stream. Raises NotMitagger."""
    message: Call[m.EventRecord] = Call("GET", f"{API}/events/stream", m.EventRecord)
    return message.read(text.encode())


def file(url: str) -> str:
    """The address of a file, from an answer. Raises NotMitagger for another server's, which must not get the key."""
    if not url.startswith("/") or url.startswith("//"):
        raise NotMitagger("The address of the file is not on the server.")
    return url


def republish(topics: Sequence[str]) -> Call[m.Republished]:
    return _post("/events/republish", m.Republished, {"topics": list(topics)})


def dead_letters(*, group: str = "", limit: int | None = None) -> Call[m.Page[m.DeadLetter]]:
    return _get("/dead-letters", m.Page[m.DeadLetter], group=group, limit=limit)


def dead_letter(id: str) -> Call[m.DeadLetter]:
    return _get(f"/dead-letters/{_id(id)}", m.DeadLetter)


def replay(id: str) -> Call[None]:
    return Call("POST", f"{API}/dead-letters/{_id(id)}/replay", None)
