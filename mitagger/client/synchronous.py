"""The client that blocks."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

import httpx
from httpx_sse import connect_sse

from mitagger.client import calls
from mitagger.client import models as m
from mitagger.client.address import on_loopback
from mitagger.client.backoff import polls, retries
from mitagger.client.calls import Call
from mitagger.client.errors import Failed, refusal, unreachable

T = TypeVar("T")

SECONDS = 60.0
CHUNK = 1 << 20


class Client:
    """Talks to the server at `url`, with an API key or, after `sign_in`, a session.

    Every method raises a ClientError. Methods that list are iterators that follow pages as they are read. `version`
    is the one that you saw: with it a stale write is a Conflict, without it the write is applied to the current state.
    """

    def __init__(
        self, url: str, *, key: str = "", transport: httpx.BaseTransport | None = None, seconds: float = SECONDS
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=seconds, transport=transport, trust_env=not on_loopback(url)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Does a call; safe ones are tried again when the connection fails."""
        waits = retries() if call.safe else iter(())
        while True:
            try:
                response = self._http.request(
                    call.method,
                    call.path,
                    params=call.params,
                    json=call.json,
                    headers=call.headers,
                    content=call.content,
                    files=call.parts,
                )
            except httpx.TransportError as error:
                wait = next(waits, None)
                if wait is None:
                    raise unreachable(self._http.base_url, error) from error
                time.sleep(wait)
                continue
            if response.is_error:
                raise refusal(response)
            return call.read(response.content)

    def pages(self, call: Call[m.Page[T]]) -> Iterator[T]:
        """The items of all pages."""
        page = self.send(call)
        yield from page.items
        while page.next is not None:
            page = self.send(call.at(page.next))
            yield from page.items

    # --- people and keys

    def sign_in(self, name: str, password: str) -> m.Session:
        """Signs this client in; the session stays in its cookies."""
        return self.send(calls.sign_in(name, password))

    def session(self) -> m.Session:
        return self.send(calls.session())

    def sign_out(self) -> None:
        self.send(calls.sign_out())

    def accounts(self) -> Iterator[m.Account]:
        return self.pages(calls.accounts())

    def create_account(self, name: str, password: str, roles: Sequence[m.Role]) -> m.Account:
        return self.send(calls.create_account(name, password, roles))

    def invite(self, name: str, roles: Sequence[m.Role], *, days: int = 7) -> m.AccountLink:
        """The only answer that holds the link."""
        return self.send(calls.invite(name, roles, days))

    def new_link(self, person: str, *, days: int = 7) -> m.AccountLink:
        """A link to set a new password, for who lost theirs. The only answer that holds it."""
        return self.send(calls.new_link(person, days))

    def change_account(
        self,
        person: str,
        *,
        roles: Sequence[m.Role] | None = None,
        disabled: bool | None = None,
        subject: str | None = None,
    ) -> m.Account:
        changes = {"roles": None if roles is None else list(roles), "disabled": disabled, "subject": subject}
        return self.send(calls.change_account(person, changes))

    def delete_account(self, person: str) -> None:
        """Name, password, sessions and keys go; what the person did stays."""
        self.send(calls.delete_account(person))

    def end_sessions(self, person: str) -> None:
        """Signs this person out everywhere."""
        self.send(calls.end_sessions(person))

    def join(self, link: str, password: str) -> m.Session:
        """Sets the password that the link is for, and signs this client in."""
        return self.send(calls.join(link, password))

    def change_password(self, old: str, password: str) -> m.Session:
        """Ends all other sessions."""
        return self.send(calls.change_password(old, password))

    def sign_out_everywhere(self) -> None:
        self.send(calls.sign_out_everywhere())

    def audit(self, *, since: str = "", until: str = "") -> Iterator[m.AuditEntry]:
        """The record of administration, newest first. `since`, `until`: ISO times."""
        return self.pages(calls.audit(since, until))

    def keys(self) -> Iterator[m.ApiKey]:
        return self.pages(calls.keys())

    def create_key(self, name: str, roles: Sequence[m.Role] = ("service",), *, days: int | None = None) -> m.ApiKey:
        """Of another system. The only answer that holds the key itself; without `days` it does not expire."""
        return self.send(calls.create_key(name, roles, days))

    def create_personal_key(
        self, name: str, *, roles: Sequence[m.Role] = (), projects: Sequence[str] = (), days: int = 90
    ) -> m.ApiKey:
        """Of who is signed in, with these of their roles and projects (none: all). The only answer that holds the
        key itself."""
        return self.send(calls.create_personal_key(name, roles, projects, days))

    def delete_key(self, id: str) -> None:
        self.send(calls.delete_key(id))

    # --- figures

    def upload(self, file: Path | IO[bytes]) -> m.Upload:
        """Streams a file to the server, which keeps it under its content hash."""
        if isinstance(file, Path):
            with file.open("rb") as opened:
                return self.upload(opened)
        return self.send(calls.upload(_chunks(file)))

    def create_figure(self, file: Path | None = None, **fields: Any) -> m.Figure:
        """`fields`: doi or collection, label, legend, title, journal, year, language, external_id, patient_group,
        study_group. Without a file the figure has no image."""
        if file is None:
            return self.send(calls.create_figure("", None, fields))
        with file.open("rb") as opened:
            return self.send(calls.create_figure(file.name, opened, fields))

    def figures(self, *, article: str = "") -> Iterator[m.Figure]:
        return self.pages(calls.figures(article=article))

    def figure(self, id: str) -> m.Figure:
        return self.send(calls.figure(id))

    def change_figure(self, id: str, *, version: int | None = None, **changes: Any) -> m.Figure:
        """Corrects legend or metadata: a new revision."""
        return self.send(calls.change_figure(id, changes, version))

    def delete_figure(self, id: str) -> None:
        self.send(calls.delete_figure(id))

    def view(self, id: str, *, page: int = 0, frame: int = 0) -> m.PageView:
        """What can be looked at in a figure's picture, and where its tiles are."""
        return self.send(calls.view(id, page, frame))

    def render(self, id: str, into: IO[bytes], **asked: Any) -> int:
        """A part of a figure's picture as JPEG; returns its bytes. `asked`: page, frame, window, level, invert,
        region ("x,y,width,height"), size."""
        return self.download(calls.rendered(id, asked), into)

    def articles(self) -> Iterator[m.Article]:
        return self.pages(calls.articles())

    # --- quarantine

    def quarantine(self) -> Iterator[m.Quarantined]:
        """Pictures that wait for an administrator's look, the oldest first."""
        return self.pages(calls.quarantine())

    def quarantined(self, id: str) -> m.Quarantined:
        """`id` is the figure's."""
        return self.send(calls.quarantined(id))

    def render_quarantined(self, id: str, into: IO[bytes], *, page: int = 0, frame: int = 0) -> int:
        """Writes a page or frame as JPEG; returns its bytes."""
        return self.download(calls.quarantine_rendered(id, page, frame), into)

    def confirm(self, id: str, *, version: int | None = None) -> m.Quarantined:
        """Lets everybody see the picture as it is."""
        return self.send(calls.confirm(id, version))

    def black_out(self, id: str, rectangles: Sequence[m.Rectangle], *, version: int | None = None) -> m.Quarantined:
        """Blacks out parts of the picture for good, and lets everybody see it."""
        return self.send(calls.black_out(id, rectangles, version))

    def refuse(self, id: str, reason: m.Refusal, *, version: int | None = None) -> m.Quarantined:
        """Erases the picture."""
        return self.send(calls.refuse(id, reason, version))

    # --- taking figures in

    def start_import(self, name: str, total: int | None = None) -> m.Import:
        return self.send(calls.start_import(name, total))

    def import_rows(self, id: str, rows: Sequence[Mapping[str, Any]]) -> list[m.RowResult]:
        """Takes in at most 500 rows (each with its number as `row`); sending a row twice creates its figure once."""
        return self.send(calls.import_rows(id, rows)).items

    def preview_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[m.RowResult]:
        """What would become of rows, with the SHA-256 of each image as `upload`. Nothing is stored."""
        return self.send(calls.preview_rows(rows)).items

    def import_archive(self, file: Path) -> m.Import:
        """Sends a zip; the import runs on the server (follow it with `import_`)."""
        with file.open("rb") as opened:
            return self.send(calls.import_archive(file.name, opened))

    def imports(self) -> Iterator[m.Import]:
        return self.pages(calls.imports())

    def import_(self, id: str) -> m.Import:
        return self.send(calls.import_(id))

    def rejects(self, id: str) -> Iterator[m.Reject]:
        return self.pages(calls.rejects(id))

    # --- concepts

    def vocabularies(self) -> Iterator[m.Vocabulary]:
        return self.pages(calls.vocabularies())

    def learned(self) -> Iterator[m.Learned]:
        """What reviews taught, those names first that most figures speak of."""
        return self.pages(calls.learned())

    def switch_learned(self, id: str, *, on: bool) -> m.Learned:
        """Undoes what was learned of a name, or lets it be learned again."""
        return self.send(calls.switch_learned(id, on))

    def import_vocabulary(
        self, file: Path, name: str, *, version: str = "", axis: str = "", activate: bool = False
    ) -> m.VocabularyVersion:
        """Sends a vocabulary file, which the server then reads (follow it with `vocabulary_version`)."""
        upload = self.upload(file).upload
        return self.send(
            calls.import_vocabulary(name, upload, file.name, version=version, axis=axis, activate=activate)
        )

    def vocabulary_versions(self, name: str = "") -> Iterator[m.VocabularyVersion]:
        """The newest first; of one name, or all."""
        return self.pages(calls.vocabulary_versions(name))

    def vocabulary_version(self, id: str) -> m.VocabularyVersion:
        return self.send(calls.vocabulary_version(id))

    def delete_vocabulary_version(self, id: str) -> None:
        self.send(calls.delete_vocabulary_version(id))

    def vocabulary_difference(self, id: str, *, against: str = "") -> m.VocabularyDifference:
        """Against another version, by default what is in use under its name."""
        return self.send(calls.vocabulary_difference(id, against))

    def activate_vocabularies(self, ids: Sequence[str]) -> m.VocabularySet:
        """Begins to use versions, each in place of what has its name (follow it with `vocabulary_set`)."""
        return self.send(calls.activate_vocabularies(ids))

    def deactivate_vocabulary(self, name: str) -> m.VocabularySet:
        return self.send(calls.deactivate_vocabulary(name))

    def vocabulary_sets(self) -> Iterator[m.VocabularySet]:
        """The newest first."""
        return self.pages(calls.vocabulary_sets())

    def vocabulary_set(self, id: str) -> m.VocabularySet:
        return self.send(calls.vocabulary_set(id))

    def roll_back_vocabularies(self) -> m.VocabularySet:
        """Goes back to the set before; what is in use then."""
        return self.send(calls.roll_back_vocabularies())

    def axis_table(self) -> m.AxisTable:
        return self.send(calls.axis_table())

    def preview_axis_table(self, table: Mapping[str, Any]) -> m.AxisPreview:
        """What another table (`{"rules": […]}`) would change."""
        return self.send(calls.preview_axis_table(table))

    def apply_axis_table(self, table: Mapping[str, Any]) -> m.VocabularySet:
        """Begins to use another table (follow it with `vocabulary_set`)."""
        return self.send(calls.apply_axis_table(table))

    def roll_back_axis_table(self) -> m.VocabularySet:
        """Begins to use the table before this one, with the vocabularies of now."""
        return self.send(calls.roll_back_axis_table())

    def concepts(self, words: str, *, axis: str = "", limit: int | None = None) -> list[m.Concept]:
        """Concepts whose names fit, best first."""
        return self.send(calls.concepts(words, axis=axis, limit=limit)).items

    def concept(self, curie: str) -> m.ConceptDetail:
        return self.send(calls.concept(curie))

    # --- assignments

    def recommendations(self, figure: str) -> m.Recommendations:
        return self.send(calls.recommendations(figure))

    def assign(self, **body: Any) -> m.Assigned:
        """`annotator`, `reviewer` (persons) and one of `figures` (ids), `article` (id), `all_unassigned` (True)."""
        return self.send(calls.assign(body))

    def assignments(self, **filters: Any) -> Iterator[m.AssignmentSummary]:
        """`filters`: state, relation (own, review, any), figure, article."""
        return self.pages(calls.assignments(**filters))

    def assignment(self, id: str) -> m.Assignment:
        return self.send(calls.assignment(id))

    def decide(self, id: str, decision: Mapping[str, Any], *, version: int | None = None) -> m.Assignment:
        """`decision`: {"kind": "accept" | "reject" | "add" | "withdraw", …}."""
        return self.send(calls.decide(id, decision, version))

    def submit(self, id: str, *, no_tag_applies: bool = False, version: int | None = None) -> m.Assignment:
        return self.send(calls.submit(id, no_tag_applies=no_tag_applies, version=version))

    def review(self, id: str, verdict: str, *, comment: str = "", version: int | None = None) -> m.Assignment:
        """`verdict`: approved or returned."""
        return self.send(calls.review(id, verdict, comment, version))

    def next_assignment(self) -> m.Assignment | None:
        """What to tag next; null when there is nothing."""
        return self.send(calls.next_assignment())

    def plan(self, **order: Any) -> m.Plan:
        """Who gets what; with `apply=True` they get it. Again with the answer's `next` as `cursor`."""
        return self.send(calls.plan(order))

    def pool(self, **order: Any) -> m.Pooled:
        """Lets annotators pull figures."""
        return self.send(calls.pool(order))

    def project(self, id: str) -> m.Project:
        return self.send(calls.project(id))

    def change_project(self, id: str, members: Sequence[Mapping[str, str]], *, version: int | None = None) -> m.Project:
        return self.send(calls.change_project(id, members, version))

    def guidelines(self, project: str, number: int | None = None) -> m.Guidelines:
        return self.send(calls.guidelines(project, number))

    def write_guidelines(self, project: str, text: str, *, number: int | None = None) -> m.Guidelines:
        """`number` is the version that they were made from."""
        return self.send(calls.write_guidelines(project, text, number))

    def undo(self, id: str, *, version: int | None = None) -> m.Assignment:
        return self.send(calls.undo(id, version))

    def redo(self, id: str, *, version: int | None = None) -> m.Assignment:
        return self.send(calls.redo(id, version))

    def recall(self, id: str, *, version: int | None = None) -> m.Assignment:
        """Takes back what was submitted or skipped, until its review has begun."""
        return self.send(calls.recall(id, version))

    def release(self, id: str, *, version: int | None = None) -> m.Assignment:
        """Takes it from its annotator; its tags are withdrawn."""
        return self.send(calls.release(id, version))

    def skip(self, id: str, reason: m.ConcernReason, comment: str = "", *, version: int | None = None) -> m.Assignment:
        return self.send(calls.skip(id, reason, comment, version))

    def flag(self, id: str, reason: m.ConcernReason, comment: str = "", *, version: int | None = None) -> m.Assignment:
        return self.send(calls.flag(id, reason, comment, version))

    def settle_concern(self, id: str) -> m.Assignment:
        return self.send(calls.settle_concern(id))

    def begin_review(self, id: str) -> m.Assignment:
        """From now on the annotator cannot recall it."""
        return self.send(calls.begin_review(id))

    def reopen(self, id: str, reason: str, *, version: int | None = None) -> m.Assignment:
        """Gives an approved one back to its annotator."""
        return self.send(calls.reopen(id, reason, version))

    def comment(self, id: str, text: str, *, key: str | None = None, thread: str | None = None) -> m.Comment:
        """Of the whole, or of the decision with `key`."""
        return self.send(calls.comment(id, text, key, thread))

    def comments(self, id: str) -> Iterator[m.Comment]:
        return self.pages(calls.comments(id))

    def history(self, id: str) -> Iterator[m.HistoryEntry]:
        return self.pages(calls.history(id))

    # --- results

    def start_rebuild(self) -> m.Rebuild:
        return self.send(calls.start_rebuild())

    def rebuild(self) -> m.Rebuild:
        return self.send(calls.rebuild())

    def start_export(self, format: m.ExportFormat = "csv", statuses: Sequence[str] = ()) -> m.Export:
        return self.send(calls.start_export(format, statuses))

    def export(self, id: str) -> m.Export:
        return self.send(calls.export(id))

    def finished_export(self, id: str, *, seconds: float = 3600) -> m.Export:
        """Waits until an export is done. Raises Failed when it failed or took longer."""
        deadline = time.monotonic() + seconds
        for wait in polls():
            export = self.export(id)
            if export.state == "done":
                return export
            if export.state != "running":
                raise Failed(f"The export {export.state}. {export.problem}".strip())
            if time.monotonic() > deadline:
                break
            time.sleep(wait)
        raise Failed(f"The export was not done within {seconds:.0f} s.")

    def download(self, url: str, into: IO[bytes]) -> int:
        """Streams a file that an answer points to; returns its bytes."""
        size = 0
        try:
            with self._http.stream("GET", calls.file(url)) as response:
                if response.is_error:
                    response.read()
                    raise refusal(response)
                for chunk in response.iter_bytes(CHUNK):
                    into.write(chunk)
                    size += len(chunk)
        except httpx.TransportError as error:
            raise unreachable(self._http.base_url, error) from error
        return size

    def search(self, words: str = "", **filters: Any) -> m.Found:
        """`filters`: axis, tag, doi, collection, status, offset, limit."""
        return self.send(calls.search(words, **filters))

    # --- the system

    def status(self) -> m.Status:
        return self.send(calls.status())

    def events(self, *, after: str = "", topics: Sequence[str] = (), limit: int | None = None) -> m.Events:
        """The events after a cursor, at most `limit`."""
        return self.send(calls.events(after=after, topics=topics, limit=limit))

    def follow_events(self, *, after: str = "", topics: Sequence[str] = ()) -> Iterator[tuple[str, m.EventRecord]]:
        """Events as they happen, each with the cursor to go on from. Ends when the server closes the stream."""
        headers = {"Last-Event-ID": after} if after else {}
        params = {"topic": list(topics)}
        try:
            with connect_sse(self._http, "GET", f"{calls.API}/events/stream", params=params, headers=headers) as source:
                if source.response.is_error:
                    source.response.read()
                    raise refusal(source.response)
                for sent in source.iter_sse():
                    yield sent.id, calls.read_event(sent.data)
        except httpx.TransportError as error:
            raise unreachable(self._http.base_url, error) from error

    def collect_files(self, *, dry_run: bool = False) -> m.Collected:
        """Removes files that nothing names for two days, or counts them."""
        return self.send(calls.collect_files(dry_run))

    def republish(self, topics: Sequence[str]) -> int:
        return self.send(calls.republish(topics)).republished

    def dead_letters(self, *, group: str = "", limit: int | None = None) -> list[m.DeadLetter]:
        return self.send(calls.dead_letters(group=group, limit=limit)).items

    def dead_letter(self, id: str) -> m.DeadLetter:
        return self.send(calls.dead_letter(id))

    def replay(self, id: str) -> None:
        self.send(calls.replay(id))


def _chunks(file: IO[bytes]) -> Iterable[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
