"""The client that blocks. Written by `make generated` from asynchronous.py: change that one."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self, TypeVar

import httpx
from httpx_sse import connect_sse

from mitagger.client import calls
from mitagger.client import models as m
from mitagger.client.address import introduced, on_loopback
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
    What is listed, searched, made and assigned is that of `project`; "": of the default project.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        project: str = "",
        transport: httpx.BaseTransport | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._project = project
        self._http = httpx.Client(
            base_url=url,
            headers=introduced(key),
            timeout=seconds,
            transport=transport,
            trust_env=not on_loopback(url),
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
        call = call.within(self._project)
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
        """With roles in this client's project."""
        return self.send(calls.create_account(name, password, roles, self._project))

    def invite(self, name: str, roles: Sequence[m.Role], *, days: int = 7) -> m.AccountLink:
        """The only answer that holds the link."""
        return self.send(calls.invite(name, roles, days, self._project))

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

    def create_key(
        self,
        name: str,
        roles: Sequence[m.Role] = ("service",),
        *,
        days: int | None = None,
        projects: Sequence[str] = (),
    ) -> m.ApiKey:
        """Of another system, in `projects` (none: this client's). The only answer that holds the key itself; without
        `days` it does not expire."""
        return self.send(calls.create_key(name, roles, days, projects or (self._project or calls.DEFAULT,)))

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

    def measures(
        self, project: str = calls.DEFAULT, *, since: date | None = None, until: date | None = None
    ) -> m.Measures:
        """Progress, effort and agreement, of the last year without `since`; of one's own work for annotators."""
        return self.send(calls.measures(project, since, until))

    def start_measures_rebuild(self) -> m.MeasuresRebuild:
        """Measures every assignment again; `measures_rebuild` says when that is done."""
        return self.send(calls.start_measures_rebuild())

    def measures_rebuild(self) -> m.MeasuresRebuild:
        return self.send(calls.measures_rebuild())

    def propose_erasure(
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
        return self.send(calls.propose_erasure(given))

    def confirm_erasure(self, id: str, *, figures: int) -> m.Erasure:
        """Begins it, within an hour of the proposal; `figures` is the number that this showed."""
        return self.send(calls.confirm_erasure(id, figures))

    def erasures(self) -> Iterator[m.Erasure]:
        return self.pages(calls.erasures())

    def erasure(self, id: str) -> m.Erasure:
        """How far it is."""
        return self.send(calls.erasure(id))

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

    def learned(self, *, project: str = "") -> Iterator[m.Learned]:
        """What reviews taught, of one project or all, those names first that most figures speak of."""
        return self.pages(calls.learned(project))

    def bioportal_consent(self, project: str) -> m.BioPortalConsent:
        """Whether texts of a project are sent to BioPortal."""
        return self.send(calls.bioportal_consent(project))

    def allow_bioportal(self, project: str, *, legends: bool, reports: bool = False) -> m.BioPortalConsent:
        """Allows or forbids sending legends, and reports, of a project to BioPortal."""
        return self.send(calls.allow_bioportal(project, legends, reports))

    def scope_learned(self, id: str, scope: Literal["project", "site"]) -> m.Learned:
        """Lets what was learned of a name apply to its project only, or to the whole site."""
        return self.send(calls.scope_learned(id, scope))

    def learned_scores(self) -> list[m.Scores]:
        """What reviews taught of scores, by project."""
        return self.send(calls.learned_scores()).items

    def switch_scores(self, project: str, *, on: bool) -> m.Scores:
        """Leaves the scores of a project as the model gives them, or lets reviews teach of them again."""
        return self.send(calls.switch_scores(project, on))

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

    def import_mappings(
        self, file: Path, name: str, *, version: str = "", least_confidence: float = 0.0, activate: bool = False
    ) -> m.MappingVersion:
        """Sends a file of mappings, which the server then reads (follow it with `mapping_version`)."""
        upload = self.upload(file).upload
        return self.send(
            calls.import_mappings(
                name, upload, file.name, version=version, least_confidence=least_confidence, activate=activate
            )
        )

    def take_mappings(
        self, vocabulary: str, name: str, *, version: str = "", activate: bool = False
    ) -> m.MappingVersion:
        """Takes what an imported vocabulary (the id of its version) says of others (follow it with
        `mapping_version`)."""
        return self.send(calls.take_mappings(name, vocabulary, version=version, activate=activate))

    def mapping_versions(self, name: str = "") -> Iterator[m.MappingVersion]:
        """The newest first; of one name, or all."""
        return self.pages(calls.mapping_versions(name))

    def mapping_version(self, id: str) -> m.MappingVersion:
        return self.send(calls.mapping_version(id))

    def delete_mapping_version(self, id: str) -> None:
        self.send(calls.delete_mapping_version(id))

    def activate_mappings(self, ids: Sequence[str]) -> m.MappingSet:
        """Begins to use versions, each in place of what has its name (follow it with `mapping_set`)."""
        return self.send(calls.activate_mappings(ids))

    def deactivate_mappings(self, name: str) -> m.MappingSet:
        return self.send(calls.deactivate_mappings(name))

    def mapping_sets(self) -> Iterator[m.MappingSet]:
        """The newest first."""
        return self.pages(calls.mapping_sets())

    def mapping_set(self, id: str) -> m.MappingSet:
        return self.send(calls.mapping_set(id))

    def roll_back_mappings(self) -> m.MappingSet:
        """Goes back to the set before; what is in use then."""
        return self.send(calls.roll_back_mappings())

    def mapping_targets(self) -> m.MappingTargets:
        """Which vocabularies an export can be mapped to."""
        return self.send(calls.mapping_targets())

    def remap(self, source: str, target: str, *, limit: int | None = None) -> m.Remap:
        """What the final tags of one vocabulary would be in another; changes nothing."""
        return self.send(calls.remap(source, target, limit))

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

    def lineage(self, curies: Sequence[str]) -> list[m.Lineage]:
        """Which of these concepts are kinds or parts of others."""
        return self.send(calls.lineage(curies)).items

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

    def submit(
        self, id: str, *, no_tag_applies: bool = False, no_tag_on: Sequence[str] = (), version: int | None = None
    ) -> m.Assignment:
        return self.send(calls.submit(id, no_tag_applies=no_tag_applies, no_tag_on=no_tag_on, version=version))

    def review(
        self,
        id: str,
        verdict: str,
        *,
        comment: str = "",
        reasons: Mapping[str, str] | None = None,
        version: int | None = None,
    ) -> m.Assignment:
        """`verdict`: approved or returned; `reasons`: what has to change, by the key of a tag."""
        return self.send(calls.review(id, verdict, comment, reasons or {}, version))

    def correct(self, id: str, decision: Mapping[str, Any], *, version: int | None = None) -> m.Assignment:
        """As `decide`, by the reviewer of what is submitted."""
        return self.send(calls.correct(id, decision, version))

    def next_assignment(self) -> m.Assignment | None:
        """What to tag next; null when there is nothing."""
        return self.send(calls.next_assignment())

    def plan(self, **order: Any) -> m.Plan:
        """Who gets what; with `apply=True` they get it. Again with the answer's `next` as `cursor`."""
        return self.send(calls.plan(order))

    def begin_handout(self, **order: Any) -> m.Handout:
        """Carries a plan out in the background, for as many figures as there are. Raises Conflict where one runs."""
        return self.send(calls.begin_handout(order))

    def handout(self) -> m.Handout:
        """How far the plan in the background is. Raises Missing where there never was one."""
        return self.send(calls.handout())

    def stop_handout(self) -> m.Handout:
        """No further step begins; what was given stays given."""
        return self.send(calls.stop_handout())

    def move(self, **order: Any) -> m.Move:
        """Previews (or with `apply` does) who gets what somebody has to tag; without a team it is released."""
        return self.send(calls.move(order))

    def pool(self, **order: Any) -> m.Pooled:
        """Lets annotators pull figures."""
        return self.send(calls.pool(order))

    def projects(self) -> list[m.Project]:
        """Those in which you have a role."""
        return self.send(calls.projects()).items

    def create_project(self, name: str, *, id: str = "") -> m.Project:
        """Its id is made of the name where none is given."""
        return self.send(calls.create_project(name, id))

    def project(self, id: str) -> m.Project:
        return self.send(calls.project(id))

    def change_project(self, id: str, *, name: str | None = None, archived: bool | None = None) -> m.Project:
        """Renames, archives (closes for work), opens again."""
        changes = {"name": name, "archived": archived}
        return self.send(calls.change_project(id, {key: one for key, one in changes.items() if one is not None}))

    def members(self, project: str) -> list[m.Member]:
        return self.send(calls.members(project)).items

    def set_member(
        self, project: str, person: str, roles: Sequence[m.Role], *, reviewer: str | None = None
    ) -> m.Member:
        """Takes somebody in, or changes all that they are there."""
        return self.send(calls.set_member(project, person, roles, reviewer))

    def remove_member(self, project: str, person: str, *, to: str = "", reviewer: str = "") -> m.Left:
        """`to`: an annotator who gets their open figures; "": these are released. `reviewer`: who reviews in their
        place. Any number of times is once."""
        return self.send(calls.remove_member(project, person, to, reviewer))

    def gold(self, project: str = calls.DEFAULT) -> Iterator[m.Gold]:
        """The gold figures, which measure annotators without their knowing."""
        return self.pages(calls.gold(project))

    def gold_of(self, figure: str) -> m.Gold:
        return self.send(calls.gold_of(figure))

    def mark_gold(self, figure: str) -> m.Gold:
        """Makes an approved figure's final tags gold, or renews it."""
        return self.send(calls.mark_gold(figure))

    def withdraw_gold(self, figure: str) -> m.Gold:
        return self.send(calls.withdraw_gold(figure))

    def standards(self, project: str) -> m.Standards:
        return self.send(calls.standards(project))

    def set_standards(self, project: str, *, version: int | None = None, **asked: Any) -> m.Standards:
        """`asked`: gold_share, qualification (figures, threshold, attempts), sampling (share, window, returned, f1)."""
        return self.send(calls.set_standards(project, asked, version))

    def newcomers(self, project: str) -> list[m.Newcomer]:
        """Who is qualifying, and who was let in."""
        return self.send(calls.newcomers(project))

    def let_in(self, project: str, person: str, reason: str) -> m.Newcomer:
        """Lets somebody in, whatever their scores."""
        return self.send(calls.let_in(project, person, reason))

    def gold_scores(self, project: str, person: str) -> Iterator[m.GoldScore]:
        """Somebody's scores on gold figures, the newest first."""
        return self.pages(calls.gold_scores(project, person))

    def feedback(self, id: str) -> m.Feedback:
        """What was missed and too much on a figure to qualify with, once it is submitted."""
        return self.send(calls.feedback(id))

    def rules(self, project: str) -> m.Rules:
        return self.send(calls.rules(project))

    def set_rules(self, project: str, *, version: int | None = None, **wanted: Any) -> m.Rules:
        """All of them: `axes`, `required`, `no_tag_allowed`, `free_text`, `max_tags`, `preferred`, `pace`."""
        return self.send(calls.set_rules(project, wanted, version))

    def guidelines(self, project: str, number: int | None = None) -> m.Guidelines:
        return self.send(calls.guidelines(project, number))

    def write_guidelines(self, project: str, text: str, *, number: int | None = None) -> m.Guidelines:
        """`number` is the version that they were made from."""
        return self.send(calls.write_guidelines(project, text, number))

    def open_assignment(self, id: str) -> m.Assignment:
        """Its annotator has it before them: its recommendations stay as they are, newer ones are offered."""
        return self.send(calls.open_assignment(id))

    def refresh_recommendations(self, id: str, *, version: int | None = None) -> m.Assignment:
        """Takes newer recommendations, where there are any. Decisions stay."""
        return self.send(calls.refresh_recommendations(id, version))

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

    def as_it_stood(self, id: str, *, number: int | None = None, at: datetime | None = None) -> m.Stood:
        """After the entry `number` of its history, or at a time."""
        return self.send(calls.as_it_stood(id, number, at))

    def revert(self, id: str, number: int, *, version: int | None = None) -> m.Assignment:
        """Goes back to the decisions that stood after the entry `number`."""
        return self.send(calls.revert(id, number, version))

    def adjudications(self) -> Iterator[m.WaitingFigure]:
        """Figures of several annotators, all of whom have submitted them."""
        return self.pages(calls.adjudications())

    def adjudication(self, figure: str) -> m.Adjudication:
        return self.send(calls.adjudication(figure))

    def choose(
        self, figure: str, *, keep: Sequence[str] = (), drop: Sequence[str] = (), clear: Sequence[str] = ()
    ) -> m.Adjudication:
        """Keys of tags to keep, to drop, to leave open again."""
        return self.send(calls.choose(figure, keep, drop, clear))

    def adjudicate(self, figure: str) -> m.Adjudication:
        """What was kept becomes the figure's final tags."""
        return self.send(calls.adjudicate(figure))

    # --- results

    def start_rebuild(self) -> m.Rebuild:
        return self.send(calls.start_rebuild())

    def rebuild(self) -> m.Rebuild:
        return self.send(calls.rebuild())

    def start_export(
        self,
        format: m.ExportFormat = "csv",
        statuses: Sequence[str] = (),
        *,
        figures: Sequence[str] | None = None,
        map_to: str = "",
    ) -> m.Export:
        """`figures`: these alone, at most 1,000. `map_to`: a vocabulary whose concepts stand beside the tags'."""
        return self.send(calls.start_export(format, statuses, figures, map_to))

    def exports(self) -> Iterator[m.Export]:
        """The newest first."""
        return self.pages(calls.exports())

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
        """`filters`: axis, tag, doi, collection, figure, status, order, before, facets, offset, limit."""
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


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
