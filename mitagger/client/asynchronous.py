"""The client for asyncio: the same methods as the one that blocks."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self, TypeVar

import httpx
from httpx_sse import aconnect_sse

from mitagger.client import calls
from mitagger.client import models as m
from mitagger.client.address import introduced, on_loopback
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
    What is listed, searched, made and assigned is that of `project`; "": of the default project.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        project: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._project = project
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=introduced(key),
            timeout=seconds,
            transport=transport,
            trust_env=not on_loopback(url),
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
        call = call.within(self._project)
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
        """With roles in this client's project."""
        return await self.send(calls.create_account(name, password, roles, self._project))

    async def invite(self, name: str, roles: Sequence[m.Role], *, days: int = 7) -> m.AccountLink:
        """The only answer that holds the link."""
        return await self.send(calls.invite(name, roles, days, self._project))

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
        self,
        name: str,
        roles: Sequence[m.Role] = ("service",),
        *,
        days: int | None = None,
        projects: Sequence[str] = (),
    ) -> m.ApiKey:
        """Of another system, in `projects` (none: this client's). The only answer that holds the key itself; without
        `days` it does not expire."""
        return await self.send(calls.create_key(name, roles, days, projects or (self._project or calls.DEFAULT,)))

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

    async def measures(
        self, project: str = calls.DEFAULT, *, since: date | None = None, until: date | None = None
    ) -> m.Measures:
        """Progress, effort and agreement, of the last year without `since`; of one's own work for annotators."""
        return await self.send(calls.measures(project, since, until))

    async def start_measures_rebuild(self) -> m.MeasuresRebuild:
        """Measures every assignment again; `measures_rebuild` says when that is done."""
        return await self.send(calls.start_measures_rebuild())

    async def measures_rebuild(self) -> m.MeasuresRebuild:
        return await self.send(calls.measures_rebuild())

    async def propose_erasure(
        self,
        *,
        figures: Sequence[str] | None = None,
        article: str | None = None,
        before: datetime | None = None,
        everything: bool = False,
    ) -> m.Erasure:
        """What would go for good: these figures, an article's, those that came in before a time, or all. Nothing goes
        before it is confirmed."""
        selection: dict[str, Any] = {
            "figures": list(figures) if figures is not None else None,
            "article": article,
            "before": before.isoformat() if before else None,
            "everything": everything or None,
        }
        given = {name: value for name, value in selection.items() if value is not None}
        return await self.send(calls.propose_erasure(given))

    async def confirm_erasure(self, id: str, *, figures: int) -> m.Erasure:
        """Begins it, within an hour of the proposal; `figures` is the number that this showed."""
        return await self.send(calls.confirm_erasure(id, figures))

    def erasures(self) -> AsyncIterator[m.Erasure]:
        return self.pages(calls.erasures())

    async def erasure(self, id: str) -> m.Erasure:
        """How far it is."""
        return await self.send(calls.erasure(id))

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

    def learned(self, *, project: str = "") -> AsyncIterator[m.Learned]:
        """What reviews taught, of one project or all, those names first that most figures speak of."""
        return self.pages(calls.learned(project))

    async def bioportal_consent(self, project: str) -> m.BioPortalConsent:
        """Whether texts of a project are sent to BioPortal."""
        return await self.send(calls.bioportal_consent(project))

    async def allow_bioportal(self, project: str, *, legends: bool, reports: bool = False) -> m.BioPortalConsent:
        """Allows or forbids sending legends, and reports, of a project to BioPortal."""
        return await self.send(calls.allow_bioportal(project, legends, reports))

    async def scope_learned(self, id: str, scope: Literal["project", "site"]) -> m.Learned:
        """Lets what was learned of a name apply to its project only, or to the whole site."""
        return await self.send(calls.scope_learned(id, scope))

    async def learned_scores(self) -> list[m.Scores]:
        """What reviews taught of scores, by project."""
        return (await self.send(calls.learned_scores())).items

    async def switch_scores(self, project: str, *, on: bool) -> m.Scores:
        """Leaves the scores of a project as the model gives them, or lets reviews teach of them again."""
        return await self.send(calls.switch_scores(project, on))

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

    async def import_mappings(
        self, file: Path, name: str, *, version: str = "", least_confidence: float = 0.0, activate: bool = False
    ) -> m.MappingVersion:
        """Sends a file of mappings, which the server then reads (follow it with `mapping_version`)."""
        upload = (await self.upload(file)).upload
        return await self.send(
            calls.import_mappings(
                name, upload, file.name, version=version, least_confidence=least_confidence, activate=activate
            )
        )

    async def take_mappings(
        self, vocabulary: str, name: str, *, version: str = "", activate: bool = False
    ) -> m.MappingVersion:
        """Takes what an imported vocabulary (the id of its version) says of others (follow it with
        `mapping_version`)."""
        return await self.send(calls.take_mappings(name, vocabulary, version=version, activate=activate))

    def mapping_versions(self, name: str = "") -> AsyncIterator[m.MappingVersion]:
        """The newest first; of one name, or all."""
        return self.pages(calls.mapping_versions(name))

    async def mapping_version(self, id: str) -> m.MappingVersion:
        return await self.send(calls.mapping_version(id))

    async def delete_mapping_version(self, id: str) -> None:
        await self.send(calls.delete_mapping_version(id))

    async def activate_mappings(self, ids: Sequence[str]) -> m.MappingSet:
        """Begins to use versions, each in place of what has its name (follow it with `mapping_set`)."""
        return await self.send(calls.activate_mappings(ids))

    async def deactivate_mappings(self, name: str) -> m.MappingSet:
        return await self.send(calls.deactivate_mappings(name))

    def mapping_sets(self) -> AsyncIterator[m.MappingSet]:
        """The newest first."""
        return self.pages(calls.mapping_sets())

    async def mapping_set(self, id: str) -> m.MappingSet:
        return await self.send(calls.mapping_set(id))

    async def roll_back_mappings(self) -> m.MappingSet:
        """Goes back to the set before; what is in use then."""
        return await self.send(calls.roll_back_mappings())

    async def mapping_targets(self) -> m.MappingTargets:
        """Which vocabularies an export can be mapped to."""
        return await self.send(calls.mapping_targets())

    async def remap(self, source: str, target: str, *, limit: int | None = None) -> m.Remap:
        """What the final tags of one vocabulary would be in another; changes nothing."""
        return await self.send(calls.remap(source, target, limit))

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

    async def lineage(self, curies: Sequence[str]) -> list[m.Lineage]:
        """Which of these concepts are kinds or parts of others."""
        return (await self.send(calls.lineage(curies))).items

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

    async def submit(
        self, id: str, *, no_tag_applies: bool = False, no_tag_on: Sequence[str] = (), version: int | None = None
    ) -> m.Assignment:
        return await self.send(calls.submit(id, no_tag_applies=no_tag_applies, no_tag_on=no_tag_on, version=version))

    async def review(
        self,
        id: str,
        verdict: str,
        *,
        comment: str = "",
        reasons: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> m.Assignment:
        """`verdict`: approved or returned; `reasons`: what has to change, by the key of a tag."""
        return await self.send(calls.review(id, verdict, comment, reasons or {}, version))

    async def correct(self, id: str, decision: Mapping[str, Any], *, version: int | None = None) -> m.Assignment:
        """As `decide`, by the reviewer of what is submitted."""
        return await self.send(calls.correct(id, decision, version))

    async def next_assignment(self) -> m.Assignment | None:
        """What to tag next; null when there is nothing."""
        return await self.send(calls.next_assignment())

    async def plan(self, **order: Any) -> m.Plan:
        """Who gets what; with `apply=True` they get it. Again with the answer's `next` as `cursor`."""
        return await self.send(calls.plan(order))

    async def begin_handout(self, **order: Any) -> m.Handout:
        """Carries a plan out in the background, for as many figures as there are. Raises Conflict where one runs."""
        return await self.send(calls.begin_handout(order))

    async def handout(self) -> m.Handout:
        """How far the plan in the background is. Raises Missing where there never was one."""
        return await self.send(calls.handout())

    async def stop_handout(self) -> m.Handout:
        """No further step begins; what was given stays given."""
        return await self.send(calls.stop_handout())

    async def move(self, **order: Any) -> m.Move:
        """Previews (or with `apply` does) who gets what somebody has to tag; without a team it is released."""
        return await self.send(calls.move(order))

    async def pool(self, **order: Any) -> m.Pooled:
        """Lets annotators pull figures."""
        return await self.send(calls.pool(order))

    async def projects(self) -> list[m.Project]:
        """Those in which you have a role."""
        return (await self.send(calls.projects())).items

    async def create_project(self, name: str, *, id: str = "") -> m.Project:
        """Its id is made of the name where none is given."""
        return await self.send(calls.create_project(name, id))

    async def project(self, id: str) -> m.Project:
        return await self.send(calls.project(id))

    async def change_project(self, id: str, *, name: str | None = None, archived: bool | None = None) -> m.Project:
        """Renames, archives (closes for work), opens again."""
        changes = {"name": name, "archived": archived}
        return await self.send(calls.change_project(id, {key: one for key, one in changes.items() if one is not None}))

    async def members(self, project: str) -> list[m.Member]:
        return (await self.send(calls.members(project))).items

    async def set_member(
        self, project: str, person: str, roles: Sequence[m.Role], *, reviewer: str | None = None
    ) -> m.Member:
        """Takes somebody in, or changes all that they are there."""
        return await self.send(calls.set_member(project, person, roles, reviewer))

    async def remove_member(self, project: str, person: str, *, to: str = "", reviewer: str = "") -> m.Left:
        """`to`: an annotator who gets their open figures; "": these are released. `reviewer`: who reviews in their
        place. Any number of times is once."""
        return await self.send(calls.remove_member(project, person, to, reviewer))

    def gold(self, project: str = calls.DEFAULT) -> AsyncIterator[m.Gold]:
        """The gold figures, which measure annotators without their knowing."""
        return self.pages(calls.gold(project))

    async def gold_of(self, figure: str) -> m.Gold:
        return await self.send(calls.gold_of(figure))

    async def mark_gold(self, figure: str) -> m.Gold:
        """Makes an approved figure's final tags gold, or renews it."""
        return await self.send(calls.mark_gold(figure))

    async def withdraw_gold(self, figure: str) -> m.Gold:
        return await self.send(calls.withdraw_gold(figure))

    async def standards(self, project: str) -> m.Standards:
        return await self.send(calls.standards(project))

    async def set_standards(self, project: str, *, version: int | None = None, **asked: Any) -> m.Standards:
        """`asked`: gold_share, qualification (figures, threshold, attempts), sampling (share, window, returned, f1)."""
        return await self.send(calls.set_standards(project, asked, version))

    async def newcomers(self, project: str) -> list[m.Newcomer]:
        """Who is qualifying, and who was let in."""
        return await self.send(calls.newcomers(project))

    async def let_in(self, project: str, person: str, reason: str) -> m.Newcomer:
        """Lets somebody in, whatever their scores."""
        return await self.send(calls.let_in(project, person, reason))

    def gold_scores(self, project: str, person: str) -> AsyncIterator[m.GoldScore]:
        """Somebody's scores on gold figures, the newest first."""
        return self.pages(calls.gold_scores(project, person))

    async def feedback(self, id: str) -> m.Feedback:
        """What was missed and too much on a figure to qualify with, once it is submitted."""
        return await self.send(calls.feedback(id))

    async def rules(self, project: str) -> m.Rules:
        return await self.send(calls.rules(project))

    async def set_rules(self, project: str, *, version: int | None = None, **wanted: Any) -> m.Rules:
        """All of them: `axes`, `required`, `no_tag_allowed`, `free_text`, `max_tags`, `preferred`, `pace`."""
        return await self.send(calls.set_rules(project, wanted, version))

    async def guidelines(self, project: str, number: int | None = None) -> m.Guidelines:
        return await self.send(calls.guidelines(project, number))

    async def write_guidelines(self, project: str, text: str, *, number: int | None = None) -> m.Guidelines:
        """`number` is the version that they were made from."""
        return await self.send(calls.write_guidelines(project, text, number))

    async def open_assignment(self, id: str) -> m.Assignment:
        """Its annotator has it before them: its recommendations stay as they are, newer ones are offered."""
        return await self.send(calls.open_assignment(id))

    async def refresh_recommendations(self, id: str, *, version: int | None = None) -> m.Assignment:
        """Takes newer recommendations, where there are any. Decisions stay."""
        return await self.send(calls.refresh_recommendations(id, version))

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

    async def as_it_stood(self, id: str, *, number: int | None = None, at: datetime | None = None) -> m.Stood:
        """After the entry `number` of its history, or at a time."""
        return await self.send(calls.as_it_stood(id, number, at))

    async def revert(self, id: str, number: int, *, version: int | None = None) -> m.Assignment:
        """Goes back to the decisions that stood after the entry `number`."""
        return await self.send(calls.revert(id, number, version))

    def adjudications(self) -> AsyncIterator[m.WaitingFigure]:
        """Figures of several annotators, all of whom have submitted them."""
        return self.pages(calls.adjudications())

    async def adjudication(self, figure: str) -> m.Adjudication:
        return await self.send(calls.adjudication(figure))

    async def choose(
        self, figure: str, *, keep: Sequence[str] = (), drop: Sequence[str] = (), clear: Sequence[str] = ()
    ) -> m.Adjudication:
        """Keys of tags to keep, to drop, to leave open again."""
        return await self.send(calls.choose(figure, keep, drop, clear))

    async def adjudicate(self, figure: str) -> m.Adjudication:
        """What was kept becomes the figure's final tags."""
        return await self.send(calls.adjudicate(figure))

    # --- results

    async def start_rebuild(self) -> m.Rebuild:
        return await self.send(calls.start_rebuild())

    async def rebuild(self) -> m.Rebuild:
        return await self.send(calls.rebuild())

    async def start_export(
        self,
        format: m.ExportFormat = "csv",
        statuses: Sequence[str] = (),
        *,
        figures: Sequence[str] | None = None,
        map_to: str = "",
    ) -> m.Export:
        """`figures`: these alone, at most 1,000. `map_to`: a vocabulary whose concepts stand beside the tags'."""
        return await self.send(calls.start_export(format, statuses, figures, map_to))

    def exports(self) -> AsyncIterator[m.Export]:
        """The newest first."""
        return self.pages(calls.exports())

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
        """`filters`: axis, tag, doi, collection, figure, status, order, before, facets, offset, limit."""
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
