"""Every call of the public API once, without doing it: both clients send these."""

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter, ValidationError

from mitagger.client import models as m
from mitagger.client.errors import NotMitagger

T = TypeVar("T")

API = "/api/v1"


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
        return Call(self.method, self.path, self.answer, {**self.params, "cursor": cursor})


def _get(path: str, answer: Any, **params: Any) -> Call[Any]:
    given = {key: value for key, value in params.items() if value not in (None, "", [], ())}
    return Call("GET", f"{API}{path}", answer, given)


def _post(path: str, answer: Any, json: Any = None, *, version: int | None = None) -> Call[Any]:
    return Call("POST", f"{API}{path}", answer, json=json, headers=_seen(version))


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


def create_account(name: str, password: str, roles: Sequence[m.Role]) -> Call[m.Account]:
    return _post("/accounts", m.Account, {"name": name, "password": password, "roles": list(roles)})


def keys() -> Call[m.Page[m.ApiKey]]:
    return _get("/keys", m.Page[m.ApiKey])


def invite(name: str, roles: Sequence[m.Role], days: int) -> Call[m.AccountLink]:
    return _post("/invitations", m.AccountLink, {"name": name, "roles": list(roles), "days": days})


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


def create_key(name: str, roles: Sequence[m.Role], days: int | None) -> Call[m.ApiKey]:
    return _post("/keys", m.ApiKey, {"name": name, "roles": list(roles), "days": days})


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
    return Call("POST", f"{API}/figures", m.Figure, parts=parts)


def figures(*, article: str = "", limit: int | None = None) -> Call[m.Page[m.Figure]]:
    return _get("/figures", m.Page[m.Figure], article=article, limit=limit)


def figure(id: str) -> Call[m.Figure]:
    return _get(f"/figures/{_id(id)}", m.Figure)


def change_figure(id: str, changes: Mapping[str, Any], version: int | None) -> Call[m.Figure]:
    return Call("PATCH", f"{API}/figures/{_id(id)}", m.Figure, json=dict(changes), headers=_seen(version))


def delete_figure(id: str) -> Call[None]:
    return Call("DELETE", f"{API}/figures/{_id(id)}", None)


def view(id: str, page: int, frame: int) -> Call[m.PageView]:
    return _get(f"/figures/{_id(id)}/view", m.PageView, page=page, frame=frame)


def rendered(id: str, asked: Mapping[str, Any]) -> str:
    """The address of a render."""
    given = {name: value for name, value in asked.items() if value is not None}
    return f"{API}/figures/{_id(id)}/render?{urlencode(given)}"


def articles() -> Call[m.Page[m.Article]]:
    return _get("/articles", m.Page[m.Article])


# --- quarantine


def quarantine() -> Call[m.Page[m.Quarantined]]:
    return _get("/quarantine", m.Page[m.Quarantined])


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
    return _post("/imports", m.Import, {"name": name, "total": total})


def import_rows(id: str, rows: Sequence[Mapping[str, Any]]) -> Call[m.RowResults]:
    return _post(f"/imports/{_id(id)}/rows", m.RowResults, {"rows": [dict(row) for row in rows]})


def preview_rows(rows: Sequence[Mapping[str, Any]]) -> Call[m.RowResults]:
    return _post("/imports/preview", m.RowResults, {"rows": [dict(row) for row in rows]})


def collect_files(dry_run: bool) -> Call[m.Collected]:
    return _post("/files/collect", m.Collected, {"dry_run": dry_run})


def import_archive(file_name: str, file: IO[bytes]) -> Call[m.Import]:
    return Call("POST", f"{API}/imports/archive", m.Import, parts={"file": (file_name, file)})


def imports() -> Call[m.Page[m.Import]]:
    return _get("/imports", m.Page[m.Import])


def import_(id: str) -> Call[m.Import]:
    return _get(f"/imports/{_id(id)}", m.Import)


def rejects(id: str) -> Call[m.Page[m.Reject]]:
    return _get(f"/imports/{_id(id)}/rejects", m.Page[m.Reject])


# --- concepts


def vocabularies() -> Call[m.Page[m.Vocabulary]]:
    return _get("/vocabularies", m.Page[m.Vocabulary])


def learned() -> Call[m.Page[m.Learned]]:
    return _get("/learned", m.Page[m.Learned])


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


# --- assignments


def recommendations(figure: str) -> Call[m.Recommendations]:
    return _get(f"/figures/{_id(figure)}/recommendations", m.Recommendations)


def assign(body: Mapping[str, Any]) -> Call[m.Assigned]:
    return _post("/assignments", m.Assigned, dict(body))


def assignments(**filters: Any) -> Call[m.Page[m.AssignmentSummary]]:
    return _get("/assignments", m.Page[m.AssignmentSummary], **filters)


def assignment(id: str) -> Call[m.Assignment]:
    return _get(f"/assignments/{_id(id)}", m.Assignment)


def decide(id: str, decision: Mapping[str, Any], version: int | None) -> Call[m.Assignment]:
    return _post(f"/assignments/{_id(id)}/decisions", m.Assignment, dict(decision), version=version)


def submit(id: str, *, no_tag_applies: bool, version: int | None) -> Call[m.Assignment]:
    body = {"no_tag_applies": no_tag_applies}
    return _post(f"/assignments/{_id(id)}/submit", m.Assignment, body, version=version)


def review(id: str, verdict: str, comment: str, version: int | None) -> Call[m.Assignment]:
    body = {"verdict": verdict, "comment": comment}
    return _post(f"/assignments/{_id(id)}/review", m.Assignment, body, version=version)


def next_assignment() -> Call[m.Assignment | None]:
    return _post("/assignments/next", m.Assignment | None)


def plan(body: Mapping[str, Any]) -> Call[m.Plan]:
    return _post("/assignments/plan", m.Plan, dict(body))


def pool(body: Mapping[str, Any]) -> Call[m.Pooled]:
    return _post("/assignments/pool", m.Pooled, dict(body))


def project(id: str) -> Call[m.Project]:
    return _get(f"/projects/{_id(id)}", m.Project)


def change_project(id: str, members: Sequence[Mapping[str, str]], version: int | None) -> Call[m.Project]:
    body = {"members": [dict(member) for member in members]}
    return Call("PUT", f"{API}/projects/{_id(id)}", m.Project, json=body, headers=_seen(version))


def guidelines(project: str, number: int | None) -> Call[m.Guidelines]:
    return _get(f"/projects/{_id(project)}/guidelines", m.Guidelines, number=number)


def write_guidelines(project: str, text: str, number: int | None) -> Call[m.Guidelines]:
    body = {"text": text, "number": number}
    return Call("PUT", f"{API}/projects/{_id(project)}/guidelines", m.Guidelines, json=body)


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


# --- results


def start_export(format: m.ExportFormat, statuses: Sequence[str]) -> Call[m.Export]:
    body: dict[str, Any] = {"format": format}
    if statuses:
        body["statuses"] = list(statuses)
    return _post("/exports", m.Export, body)


def export(id: str) -> Call[m.Export]:
    return _get(f"/exports/{_id(id)}", m.Export)


def start_rebuild() -> Call[m.Rebuild]:
    return _post("/search/rebuild", m.Rebuild, {})


def rebuild() -> Call[m.Rebuild]:
    return _get("/search/rebuild", m.Rebuild)


def search(words: str, **filters: Any) -> Call[m.Found]:
    return _get("/search", m.Found, q=words, **filters)


# --- the system


def status() -> Call[m.Status]:
    return _get("/status", m.Status)


def events(*, after: str = "", topics: Sequence[str] = (), limit: int | None = None) -> Call[m.Events]:
    return _get("/events", m.Events, after=after, topic=list(topics), limit=limit)


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
