"""The client for asyncio: the same methods as the one that blocks."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

import httpx
from httpx_sse import aconnect_sse

from mitagger.client import calls
from mitagger.client import models as m
from mitagger.client.address import on_loopback
from mitagger.client.backoff import polls, retries
from mitagger.client.calls import Call
from mitagger.client.errors import Failed, refusal, unreachable

T = TypeVar("T")

SECONDS = 60.0
CHUNK = 1 << 20


class AsyncClient:
    """Talks to the server at `url`, with an API key or, after `sign_in`, a session.

    Every method raises a ClientError. Methods that list are iterators that follow pages as they are read. `version`
    is the one that you saw: with it a stale write is a Conflict, without it the write is applied to the current state.
    """

    def __init__(
        self, url: str, *, key: str = "", transport: httpx.AsyncBaseTransport | None = None, seconds: float = SECONDS
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.AsyncClient(
            base_url=url, headers=headers, timeout=seconds, transport=transport, trust_env=not on_loopback(url)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Does a call; safe ones are tried again when the connection fails."""
        waits = retries() if call.safe else iter(())
        while True:
            try:
                response = await self._http.request(
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
                await asyncio.sleep(wait)
                continue
            if response.is_error:
                raise refusal(response)
            return call.read(response.content)

    async def pages(self, call: Call[m.Page[T]]) -> AsyncIterator[T]:
        """The items of all pages."""
        page = await self.send(call)
        for item in page.items:
            yield item
        while page.next is not None:
            page = await self.send(call.at(page.next))
            for item in page.items:
                yield item

    # --- people and keys

    async def sign_in(self, name: str, password: str) -> m.Session:
        """Signs this client in; the session stays in its cookies."""
        return await self.send(calls.sign_in(name, password))

    async def session(self) -> m.Session:
        return await self.send(calls.session())

    async def sign_out(self) -> None:
        await self.send(calls.sign_out())

    def accounts(self) -> AsyncIterator[m.Account]:
        return self.pages(calls.accounts())

    async def create_account(self, name: str, password: str, roles: Sequence[m.Role]) -> m.Account:
        return await self.send(calls.create_account(name, password, roles))

    async def invite(self, name: str, roles: Sequence[m.Role], *, days: int = 7) -> m.AccountLink:
        """The only answer that holds the link."""
        return await self.send(calls.invite(name, roles, days))

    async def new_link(self, person: str, *, days: int = 7) -> m.AccountLink:
        """A link to set a new password, for who lost theirs. The only answer that holds it."""
        return await self.send(calls.new_link(person, days))

    async def change_account(
        self,
        person: str,
        *,
        roles: Sequence[m.Role] | None = None,
        disabled: bool | None = None,
        subject: str | None = None,
    ) -> m.Account:
        changes = {"roles": None if roles is None else list(roles), "disabled": disabled, "subject": subject}
        return await self.send(calls.change_account(person, changes))

    async def delete_account(self, person: str) -> None:
        """Name, password, sessions and keys go; what the person did stays."""
        await self.send(calls.delete_account(person))

    async def end_sessions(self, person: str) -> None:
        """Signs this person out everywhere."""
        await self.send(calls.end_sessions(person))

    async def join(self, link: str, password: str) -> m.Session:
        """Sets the password that the link is for, and signs this client in."""
        return await self.send(calls.join(link, password))

    async def change_password(self, old: str, password: str) -> m.Session:
        """Ends all other sessions."""
        return await self.send(calls.change_password(old, password))

    async def sign_out_everywhere(self) -> None:
        await self.send(calls.sign_out_everywhere())

    def audit(self, *, since: str = "", until: str = "") -> AsyncIterator[m.AuditEntry]:
        """The record of administration, newest first. `since`, `until`: ISO times."""
        return self.pages(calls.audit(since, until))

    def keys(self) -> AsyncIterator[m.ApiKey]:
        return self.pages(calls.keys())

    async def create_key(
        self, name: str, roles: Sequence[m.Role] = ("service",), *, days: int | None = None
    ) -> m.ApiKey:
        """Of another system. The only answer that holds the key itself; without `days` it does not expire."""
        return await self.send(calls.create_key(name, roles, days))

    async def create_personal_key(
        self, name: str, *, roles: Sequence[m.Role] = (), projects: Sequence[str] = (), days: int = 90
    ) -> m.ApiKey:
        """Of who is signed in, with these of their roles and projects (none: all). The only answer that holds the
        key itself."""
        return await self.send(calls.create_personal_key(name, roles, projects, days))

    async def delete_key(self, id: str) -> None:
        await self.send(calls.delete_key(id))

    # --- figures

    async def upload(self, file: Path | IO[bytes]) -> m.Upload:
        """Streams a file to the server, which keeps it under its content hash."""
        if isinstance(file, Path):
            with file.open("rb") as opened:
                return await self.upload(opened)
        return await self.send(calls.upload(_chunks(file)))

    async def create_figure(self, file: Path | None = None, **fields: Any) -> m.Figure:
        """`fields`: doi or collection, label, legend, title, journal, year, language, external_id, patient_group,
        study_group. Without a file the figure has no image."""
        if file is None:
            return await self.send(calls.create_figure("", None, fields))
        with file.open("rb") as opened:
            return await self.send(calls.create_figure(file.name, opened, fields))

    def figures(self, *, article: str = "") -> AsyncIterator[m.Figure]:
        return self.pages(calls.figures(article=article))

    async def figure(self, id: str) -> m.Figure:
        return await self.send(calls.figure(id))

    async def change_figure(self, id: str, *, version: int | None = None, **changes: Any) -> m.Figure:
        """Corrects legend or metadata: a new revision."""
        return await self.send(calls.change_figure(id, changes, version))

    async def delete_figure(self, id: str) -> None:
        await self.send(calls.delete_figure(id))

    async def view(self, id: str, *, page: int = 0, frame: int = 0) -> m.PageView:
        """What can be looked at in a figure's picture, and where its tiles are."""
        return await self.send(calls.view(id, page, frame))

    async def render(self, id: str, into: IO[bytes], **asked: Any) -> int:
        """A part of a figure's picture as JPEG; returns its bytes. `asked`: page, frame, window, level, invert,
        region ("x,y,width,height"), size."""
        return await self.download(calls.rendered(id, asked), into)

    def articles(self) -> AsyncIterator[m.Article]:
        return self.pages(calls.articles())

    # --- quarantine

    def quarantine(self) -> AsyncIterator[m.Quarantined]:
        """Pictures that wait for an administrator's look, the oldest first."""
        return self.pages(calls.quarantine())

    async def quarantined(self, id: str) -> m.Quarantined:
        """`id` is the figure's."""
        return await self.send(calls.quarantined(id))

    async def render_quarantined(self, id: str, into: IO[bytes], *, page: int = 0, frame: int = 0) -> int:
        """Writes a page or frame as JPEG; returns its bytes."""
        return await self.download(calls.quarantine_rendered(id, page, frame), into)

    async def confirm(self, id: str, *, version: int | None = None) -> m.Quarantined:
        """Lets everybody see the picture as it is."""
        return await self.send(calls.confirm(id, version))

    async def black_out(
        self, id: str, rectangles: Sequence[m.Rectangle], *, version: int | None = None
    ) -> m.Quarantined:
        """Blacks out parts of the picture for good, and lets everybody see it."""
        return await self.send(calls.black_out(id, rectangles, version))

    async def refuse(self, id: str, reason: m.Refusal, *, version: int | None = None) -> m.Quarantined:
        """Erases the picture."""
        return await self.send(calls.refuse(id, reason, version))

    # --- taking figures in

    async def start_import(self, name: str, total: int | None = None) -> m.Import:
        return await self.send(calls.start_import(name, total))

    async def import_rows(self, id: str, rows: Sequence[Mapping[str, Any]]) -> list[m.RowResult]:
        """Takes in at most 500 rows (each with its number as `row`); sending a row twice creates its figure once."""
        return (await self.send(calls.import_rows(id, rows))).items

    async def preview_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[m.RowResult]:
        """What would become of rows, with the SHA-256 of each image as `upload`. Nothing is stored."""
        return (await self.send(calls.preview_rows(rows))).items

    async def import_archive(self, file: Path) -> m.Import:
        """Sends a zip; the import runs on the server (follow it with `import_`)."""
        with file.open("rb") as opened:
            return await self.send(calls.import_archive(file.name, opened))

    def imports(self) -> AsyncIterator[m.Import]:
        return self.pages(calls.imports())

    async def import_(self, id: str) -> m.Import:
        return await self.send(calls.import_(id))

    def rejects(self, id: str) -> AsyncIterator[m.Reject]:
        return self.pages(calls.rejects(id))

    # --- concepts

    def vocabularies(self) -> AsyncIterator[m.Vocabulary]:
        return self.pages(calls.vocabularies())

    def learned(self) -> AsyncIterator[m.Learned]:
        """What reviews taught, those names first that most figures speak of."""
        return self.pages(calls.learned())

    async def switch_learned(self, id: str, *, on: bool) -> m.Learned:
        """Undoes what was learned of a name, or lets it be learned again."""
        return await self.send(calls.switch_learned(id, on))

    async def import_vocabulary(
        self, file: Path, name: str, *, version: str = "", axis: str = "", activate: bool = False
    ) -> m.VocabularyVersion:
        """Sends a vocabulary file, which the server then reads (follow it with `vocabulary_version`)."""
        upload = (await self.upload(file)).upload
        return await self.send(
            calls.import_vocabulary(name, upload, file.name, version=version, axis=axis, activate=activate)
        )

    def vocabulary_versions(self, name: str = "") -> AsyncIterator[m.VocabularyVersion]:
        """The newest first; of one name, or all."""
        return self.pages(calls.vocabulary_versions(name))

    async def vocabulary_version(self, id: str) -> m.VocabularyVersion:
        return await self.send(calls.vocabulary_version(id))

    async def delete_vocabulary_version(self, id: str) -> None:
        await self.send(calls.delete_vocabulary_version(id))

    async def vocabulary_difference(self, id: str, *, against: str = "") -> m.VocabularyDifference:
        """Against another version, by default what is in use under its name."""
        return await self.send(calls.vocabulary_difference(id, against))

    async def activate_vocabularies(self, ids: Sequence[str]) -> m.VocabularySet:
        """Begins to use versions, each in place of what has its name (follow it with `vocabulary_set`)."""
        return await self.send(calls.activate_vocabularies(ids))

    async def deactivate_vocabulary(self, name: str) -> m.VocabularySet:
        return await self.send(calls.deactivate_vocabulary(name))

    def vocabulary_sets(self) -> AsyncIterator[m.VocabularySet]:
        """The newest first."""
        return self.pages(calls.vocabulary_sets())

    async def vocabulary_set(self, id: str) -> m.VocabularySet:
        return await self.send(calls.vocabulary_set(id))

    async def roll_back_vocabularies(self) -> m.VocabularySet:
        """Goes back to the set before; what is in use then."""
        return await self.send(calls.roll_back_vocabularies())

    async def axis_table(self) -> m.AxisTable:
        return await self.send(calls.axis_table())

    async def preview_axis_table(self, table: Mapping[str, Any]) -> m.AxisPreview:
        """What another table (`{"rules": […]}`) would change."""
        return await self.send(calls.preview_axis_table(table))

    async def apply_axis_table(self, table: Mapping[str, Any]) -> m.VocabularySet:
        """Begins to use another table (follow it with `vocabulary_set`)."""
        return await self.send(calls.apply_axis_table(table))

    async def roll_back_axis_table(self) -> m.VocabularySet:
        """Begins to use the table before this one, with the vocabularies of now."""
        return await self.send(calls.roll_back_axis_table())

    async def concepts(self, words: str, *, axis: str = "", limit: int | None = None) -> list[m.Concept]:
        """Concepts whose names fit, best first."""
        return (await self.send(calls.concepts(words, axis=axis, limit=limit))).items

    async def concept(self, curie: str) -> m.ConceptDetail:
        return await self.send(calls.concept(curie))

    # --- assignments

    async def recommendations(self, figure: str) -> m.Recommendations:
        return await self.send(calls.recommendations(figure))

    async def assign(self, **body: Any) -> m.Assigned:
        """`annotator`, `reviewer` (persons) and one of `figures` (ids), `article` (id), `all_unassigned` (True)."""
        return await self.send(calls.assign(body))

    def assignments(self, **filters: Any) -> AsyncIterator[m.AssignmentSummary]:
        """`filters`: state, relation (own, review, any), figure, article."""
        return self.pages(calls.assignments(**filters))

    async def assignment(self, id: str) -> m.Assignment:
        return await self.send(calls.assignment(id))

    async def decide(self, id: str, decision: Mapping[str, Any], *, version: int | None = None) -> m.Assignment:
        """`decision`: {"kind": "accept" | "reject" | "add" | "withdraw", …}."""
        return await self.send(calls.decide(id, decision, version))

    async def submit(self, id: str, *, no_tag_applies: bool = False, version: int | None = None) -> m.Assignment:
        return await self.send(calls.submit(id, no_tag_applies=no_tag_applies, version=version))

    async def review(self, id: str, verdict: str, *, comment: str = "", version: int | None = None) -> m.Assignment:
        """`verdict`: approved or returned."""
        return await self.send(calls.review(id, verdict, comment, version))

    async def next_assignment(self) -> m.Assignment | None:
        """What to tag next; null when there is nothing."""
        return await self.send(calls.next_assignment())

    async def plan(self, **order: Any) -> m.Plan:
        """Who gets what; with `apply=True` they get it. Again with the answer's `next` as `cursor`."""
        return await self.send(calls.plan(order))

    async def pool(self, **order: Any) -> m.Pooled:
        """Lets annotators pull figures."""
        return await self.send(calls.pool(order))

    async def project(self, id: str) -> m.Project:
        return await self.send(calls.project(id))

    async def change_project(
        self, id: str, members: Sequence[Mapping[str, str]], *, version: int | None = None
    ) -> m.Project:
        return await self.send(calls.change_project(id, members, version))

    async def guidelines(self, project: str, number: int | None = None) -> m.Guidelines:
        return await self.send(calls.guidelines(project, number))

    async def write_guidelines(self, project: str, text: str, *, number: int | None = None) -> m.Guidelines:
        """`number` is the version that they were made from."""
        return await self.send(calls.write_guidelines(project, text, number))

    async def undo(self, id: str, *, version: int | None = None) -> m.Assignment:
        return await self.send(calls.undo(id, version))

    async def redo(self, id: str, *, version: int | None = None) -> m.Assignment:
        return await self.send(calls.redo(id, version))

    async def recall(self, id: str, *, version: int | None = None) -> m.Assignment:
        """Takes back what was submitted or skipped, until its review has begun."""
        return await self.send(calls.recall(id, version))

    async def release(self, id: str, *, version: int | None = None) -> m.Assignment:
        """Takes it from its annotator; its tags are withdrawn."""
        return await self.send(calls.release(id, version))

    async def skip(
        self, id: str, reason: m.ConcernReason, comment: str = "", *, version: int | None = None
    ) -> m.Assignment:
        return await self.send(calls.skip(id, reason, comment, version))

    async def flag(
        self, id: str, reason: m.ConcernReason, comment: str = "", *, version: int | None = None
    ) -> m.Assignment:
        return await self.send(calls.flag(id, reason, comment, version))

    async def settle_concern(self, id: str) -> m.Assignment:
        return await self.send(calls.settle_concern(id))

    async def begin_review(self, id: str) -> m.Assignment:
        """From now on the annotator cannot recall it."""
        return await self.send(calls.begin_review(id))

    async def reopen(self, id: str, reason: str, *, version: int | None = None) -> m.Assignment:
        """Gives an approved one back to its annotator."""
        return await self.send(calls.reopen(id, reason, version))

    async def comment(self, id: str, text: str, *, key: str | None = None, thread: str | None = None) -> m.Comment:
        """Of the whole, or of the decision with `key`."""
        return await self.send(calls.comment(id, text, key, thread))

    def comments(self, id: str) -> AsyncIterator[m.Comment]:
        return self.pages(calls.comments(id))

    def history(self, id: str) -> AsyncIterator[m.HistoryEntry]:
        return self.pages(calls.history(id))

    # --- results

    async def start_rebuild(self) -> m.Rebuild:
        return await self.send(calls.start_rebuild())

    async def rebuild(self) -> m.Rebuild:
        return await self.send(calls.rebuild())

    async def start_export(self, format: m.ExportFormat = "csv", statuses: Sequence[str] = ()) -> m.Export:
        return await self.send(calls.start_export(format, statuses))

    async def export(self, id: str) -> m.Export:
        return await self.send(calls.export(id))

    async def finished_export(self, id: str, *, seconds: float = 3600) -> m.Export:
        """Waits until an export is done. Raises Failed when it failed or took longer."""
        deadline = time.monotonic() + seconds
        for wait in polls():
            export = await self.export(id)
            if export.state == "done":
                return export
            if export.state != "running":
                raise Failed(f"The export {export.state}. {export.problem}".strip())
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(wait)
        raise Failed(f"The export was not done within {seconds:.0f} s.")

    async def download(self, url: str, into: IO[bytes]) -> int:
        """Streams a file that an answer points to; returns its bytes."""
        size = 0
        try:
            async with self._http.stream("GET", calls.file(url)) as response:
                if response.is_error:
                    await response.aread()
                    raise refusal(response)
                async for chunk in response.aiter_bytes(CHUNK):
                    into.write(chunk)
                    size += len(chunk)
        except httpx.TransportError as error:
            raise unreachable(self._http.base_url, error) from error
        return size

    async def search(self, words: str = "", **filters: Any) -> m.Found:
        """`filters`: axis, tag, doi, collection, status, offset, limit."""
        return await self.send(calls.search(words, **filters))

    # --- the system

    async def status(self) -> m.Status:
        return await self.send(calls.status())

    async def events(self, *, after: str = "", topics: Sequence[str] = (), limit: int | None = None) -> m.Events:
        """The events after a cursor, at most `limit`."""
        return await self.send(calls.events(after=after, topics=topics, limit=limit))

    async def follow_events(
        self, *, after: str = "", topics: Sequence[str] = ()
    ) -> AsyncIterator[tuple[str, m.EventRecord]]:
        """Events as they happen, each with the cursor to go on from. Ends when the server closes the stream."""
        headers = {"Last-Event-ID": after} if after else {}
        params = {"topic": list(topics)}
        try:
            async with aconnect_sse(
                self._http, "GET", f"{calls.API}/events/stream", params=params, headers=headers
            ) as source:
                if source.response.is_error:
                    await source.response.aread()
                    raise refusal(source.response)
                async for sent in source.aiter_sse():
                    yield sent.id, calls.read_event(sent.data)
        except httpx.TransportError as error:
            raise unreachable(self._http.base_url, error) from error

    async def collect_files(self, *, dry_run: bool = False) -> m.Collected:
        """Removes files that nothing names for two days, or counts them."""
        return await self.send(calls.collect_files(dry_run))

    async def republish(self, topics: Sequence[str]) -> int:
        return (await self.send(calls.republish(topics))).republished

    async def dead_letters(self, *, group: str = "", limit: int | None = None) -> list[m.DeadLetter]:
        return (await self.send(calls.dead_letters(group=group, limit=limit))).items

    async def dead_letter(self, id: str) -> m.DeadLetter:
        return await self.send(calls.dead_letter(id))

    async def replay(self, id: str) -> None:
        await self.send(calls.replay(id))


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, CHUNK):
        yield chunk
