"""Figures come in, are corrected, are erased: the rules, over documents, files and workers."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from services.ingest import naming
from services.ingest.events import deleted, uploaded
from services.ingest.manifest import Row
from services.ingest.model import Figure, Quarantine, StoredArticle
from services.ingest.quarantine import Reason, of_others
from services.ingest.rendered import Jpeg
from services.ingest.renditions import render, sniff
from services.ingest.submission import Correction, NewFigure, corrected
from shared.blobs import Blobs, room
from shared.clock import new_id, now
from shared.documents.port import Collection, Documents, In, Page, Range, Value
from shared.erasures import Erasures
from shared.errors import Conflict, DeadlineExceeded, Duplicate, Erased, Invalid, NotFound
from shared.events.envelope import Event
from shared.events.image import Picture, Rendition
from shared.workers import Workers

RENDER_SECONDS: Final = 60.0
MOST_AT_ONCE: Final = 500
AGAIN: Final = "restore"  # who erases what a restored backup brought back

_FILES: Final = (
    *(
        f"{where}.{file}"
        for where in ("picture", "quarantine.picture")
        for file in ("sha256", "display.blob", "thumbnail.blob")
    ),
    "pixels",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row: `problem` says why it was rejected; with a figure, what its sender should know (the figure
    was there and differs, the picture waits in quarantine, the file's name misleads). `file`: the name to tell of its
    file (see `naming`)."""

    figure: Figure | None
    created: bool = False
    problem: Invalid | None = None
    file: str = ""


@dataclass(slots=True)
class _Draft:
    """A row on its way in."""

    new: NewFigure
    article: StoredArticle
    id: str = field(default_factory=new_id)
    picture: Picture | None = None
    pixels: str | None = None
    technical: dict[str, str] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    dicom: bool | None = None  # whether its image is, once that is known

    @property
    def file(self) -> str:
        """The name to tell of its image."""
        return naming.told(self.new.row.file, dicom=self.dicom, upload=self.new.upload)

    @property
    def key(self) -> str:
        """Same image and label in an article: one figure. Without an image, the sender's id or the legend tells."""
        row = self.new.row
        content = self.new.upload or row.external_id or hashlib.sha256(row.legend.encode()).hexdigest()
        return "|".join((self.article.id, content, row.label))


class Figures:
    """The figures of one store."""

    def __init__(self, documents: Documents, blobs: Blobs, workers: Workers, erasures: Erasures) -> None:
        self._articles: Collection[StoredArticle] = documents.collection(StoredArticle)
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._blobs = blobs
        self._workers = workers
        self._erasures = erasures

    async def add(self, rows: Sequence[NewFigure], *, project: str, actor: str) -> list[Outcome]:
        """Each row becomes a figure, is one already, or is rejected; in order. Adding the same rows again changes
        nothing. Raises Unavailable when the store or the files cannot be reached; then nothing is known of the rows."""
        articles = await self._articles_of(rows, project)
        drafts = [_Draft(new, articles[_article_key(new.row)]) for new in rows]
        known = await self._known(drafts)
        problems = await asyncio.gather(*(self._picture(draft, known) for draft in drafts))
        fresh = [
            draft for draft, problem in zip(drafts, problems, strict=True) if problem is None and draft.key not in known
        ]
        figures = [_figure(draft, project, actor) for draft in fresh]
        stored = await self._figures.insert_many(figures, [[uploaded(figure, revision=1)] for figure in figures])
        by_draft = {draft.id: outcome for draft, outcome in zip(fresh, stored, strict=True)}
        outcomes: list[Outcome] = []
        for draft, problem in zip(drafts, problems, strict=True):
            done = by_draft.get(draft.id)
            if problem is not None:
                outcomes.append(Outcome(None, problem=problem, file=draft.file))
            elif isinstance(done, Figure):
                note = _waiting(done) or _misnamed(done, draft.new.row)
                outcomes.append(Outcome(done, created=True, problem=note, file=draft.file))
            else:
                # There before, or another row of this batch (or request at the same time) came first.
                holder = known.get(draft.key)
                if holder is None and isinstance(done, Duplicate):
                    holder = await self._figures.get(done.holder)
                note = _difference(holder, draft.new.row) if holder else None
                if draft.dicom is None and holder and holder.held:
                    draft.dicom = holder.held.format == "dicom"
                outcomes.append(Outcome(holder, problem=note, file=draft.file))
        for draft, outcome in zip(drafts, outcomes, strict=True):
            # Sent again: of what is new, `forget_originals` hears.
            if draft.new.upload and outcome.figure and not outcome.created:
                await self.tidy(outcome.figure)
            if draft.new.upload and outcome.figure is None:
                await self._drop_refused(draft.new.upload)
        return outcomes

    async def known(self, rows: Sequence[NewFigure], *, project: str) -> list[Outcome | None]:
        """Of each row the outcome that `add` would have where the figure is there already, else null. Nothing is stored
        and no image is read."""
        articles = await self._find_articles([new.row for new in rows], project)
        drafts = [
            _Draft(new, article) if (article := articles.get(_article_key(new.row))) is not None else None
            for new in rows
        ]
        holders = await self._known([draft for draft in drafts if draft is not None])
        found = [None if draft is None else holders.get(draft.key) for draft in drafts]
        return [
            None if figure is None else Outcome(figure, problem=_difference(figure, new.row))
            for figure, new in zip(found, rows, strict=True)
        ]

    async def forget_originals(self, events: Sequence[Event]) -> None:
        """The DICOM originals of figures that are stored go: they may name the patient; so does what quarantine took
        away. (Told by events, so that a process that dies right after it stored a figure leaves none.)"""
        for figure in await self._figures.get_many(list({event.figure for event in events})):
            await self.tidy(figure)

    async def tidy(self, figure: Figure) -> None:
        """Drops files of the figure that must not be there."""
        if figure.held is not None and figure.held.format == "dicom":
            await self._blobs.delete(figure.held.sha256)
        await self.drop(figure.id, figure.gone)

    async def get(self, id: str) -> Figure:
        """Raises NotFound, Erased."""
        return await self._figures.get(id)

    async def these(self, ids: Sequence[str], *, project: str) -> list[Figure]:
        """Those of them that there are."""
        return [figure for figure in await self._figures.get_many(ids) if figure.project == project]

    async def page(
        self,
        *,
        project: str,
        article: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int,
    ) -> Page[Figure]:
        """The newest first; `since` <= made < `until`."""
        where: dict[str, Value | Range] = {"project": project}
        if article is not None:
            where["article.id"] = article
        if since or until:
            where["created_at"] = Range(gte=_stored(since), lt=_stored(until))
        return await self._figures.find(where, sort=["-created_at"], after=after, limit=limit)

    async def articles(self, *, project: str, after: str | None, limit: int) -> Page[StoredArticle]:
        return await self._articles.find({"project": project}, after=after, limit=limit)

    async def correct(self, id: str, correction: Correction, *, version: int | None, actor: str) -> Figure:
        """The figure with the corrected legend or metadata, as a new revision. Raises NotFound, Erased, Conflict."""
        at = now()

        def change(figure: Figure) -> tuple[Figure, Sequence[Event]]:
            changed = figure.changed(**corrected(figure, correction))
            if changed == figure:
                return figure, ()
            changed = changed.changed(updated_at=at, actor=actor)
            return changed, [uploaded(changed, revision=figure.version + 1)]

        try:
            return await self._figures.update(id, change, version=version)
        except Conflict as conflict:
            theirs = await self._figures.get(id)
            difference = {
                name: {"yours": yours, "theirs": getattr(theirs, name)}
                for name, yours in corrected(theirs, correction).items()
                if yours != getattr(theirs, name)
            }
            if not difference:
                return theirs  # what was asked stands already: the answer to an earlier try was lost
            raise Conflict(conflict.message, difference=difference) from conflict

    async def erase(self, id: str, *, actor: str) -> None:
        """Leaves a tombstone. Erasing twice is erasing once. Raises NotFound."""
        try:
            figure = await self._figures.get(id)
        except Erased:
            return
        # On record first: dying in between, the next start erases it.
        await self._erasures.add([id])
        # Files first: dying in between leaves a figure that can be erased again, never files that nobody knows of.
        await self.drop(id, [*files_of(figure), *figure.gone])
        event = deleted(id, project=figure.project, actor=actor, revision=figure.version + 1)
        await self._figures.erase(id, [event])

    async def erase_again(self) -> int:
        """Erases what the ledger says was erased and is there all the same; returns how many figures that were."""
        erased, again = await self._erasures.all(), 0
        for start in range(0, len(erased), MOST_AT_ONCE):
            for figure in await self._figures.get_many(erased[start : start + MOST_AT_ONCE]):
                await self.erase(figure.id, actor=AGAIN)
                again += 1
        return again

    async def _articles_of(self, rows: Sequence[NewFigure], project: str) -> dict[str, StoredArticle]:
        """By `_article_key`, made where they are missing."""
        wanted = {_article_key(new.row): new.row for new in rows}
        found = await self._find_articles(list(wanted.values()), project)
        missing = [row for key, row in wanted.items() if key not in found]
        made = [
            StoredArticle(
                id=new_id(),
                project=project,
                doi=row.doi,
                name=row.collection,
                title=row.title,
                journal=row.journal,
                year=row.year,
                created_at=now(),
            )
            for row in missing
        ]
        for row, outcome in zip(missing, await self._articles.insert_many(made), strict=True):
            if isinstance(outcome, StoredArticle):
                found[_article_key(row)] = outcome
            elif isinstance(outcome, Duplicate):  # another request made it meanwhile
                found[_article_key(row)] = await self._articles.get(outcome.holder)
            else:
                raise outcome
        return found

    async def _find_articles(self, rows: Sequence[Row], project: str) -> dict[str, StoredArticle]:
        found: dict[str, StoredArticle] = {}
        names: dict[str, list[str]] = {
            "doi": [row.doi for row in rows if row.doi],
            "name": [row.collection for row in rows if row.collection],
        }
        for column, values in names.items():
            for start in range(0, len(values), MOST_AT_ONCE):
                chosen = In(tuple(values[start : start + MOST_AT_ONCE]))
                page = await self._articles.find({"project": project, column: chosen}, limit=MOST_AT_ONCE)
                found.update((article.doi or f"name:{article.name}", article) for article in page.items)
        return found

    async def _known(self, drafts: Sequence[_Draft]) -> dict[str, Figure]:
        keys = list({draft.key for draft in drafts})
        found: dict[str, Figure] = {}
        for start in range(0, len(keys), MOST_AT_ONCE):
            chosen = In(tuple(keys[start : start + MOST_AT_ONCE]))
            page = await self._figures.find({"key": chosen}, limit=MOST_AT_ONCE)
            found.update((figure.key, figure) for figure in page.items)
        return found

    async def _picture(self, draft: _Draft, known: dict[str, Figure]) -> Invalid | None:
        """Renders the draft's image; says what is wrong with it, if anything is. Whose figure has come meanwhile is
        noted in `known`."""
        upload, original = draft.new.upload, ""
        if upload is None or draft.key in known:
            return None
        try:
            await self._blobs.uploaded(upload)
            async with self._blobs.local(upload) as path:
                original = str(path)
                draft.dicom = await asyncio.to_thread(_is_dicom, path)
                with room(), self._blobs.folder() as folder:
                    rendered = await self._workers.run(render, str(path), str(folder), timeout=RENDER_SECONDS)
                    display, thumbnail = [await self.keep(jpeg) for jpeg in (rendered.display, rendered.thumbnail)]
                    if rendered.pixels is not None:
                        draft.pixels = await self.keep_file(rendered.pixels)
        except Invalid as problem:
            problem.field = problem.field or "file"
            return problem
        except (NotFound, FileNotFoundError) as missing:
            if isinstance(missing, FileNotFoundError) and missing.filename != original:
                raise
            # Sent twice at once, and the other was first: then its original has gone (see `tidy`).
            known.update(await self._known([draft]))
            if draft.key in known:
                return None
            return Invalid("The file is not there.", field="file", remedy="Upload it again, then send the row again.")
        except DeadlineExceeded:
            return Invalid(
                f"The image could not be rendered within {RENDER_SECONDS:.0f} s.",
                field="file",
                remedy="Send a smaller or simpler image.",
            )
        named = ("screenshot",) if of_others([draft.new.row.file]) else ()
        draft.reasons = tuple(dict.fromkeys((*rendered.reasons, *named)))
        draft.picture = Picture(
            file=draft.file,
            sha256=upload,
            format=rendered.format,
            width=rendered.width,
            height=rendered.height,
            display=display,
            thumbnail=thumbnail,
            pages=rendered.pages,
            frames=rendered.frames,
            windowed=rendered.deep,
        )
        draft.technical = rendered.technical
        return None

    async def keep(self, jpeg: Jpeg) -> Rendition:
        """As a blob, of which the caller's document is to tell."""
        blob = await self._blobs.put_file(Path(jpeg.path))
        return Rendition(
            blob=blob.sha256, media_type=jpeg.media_type, width=jpeg.width, height=jpeg.height, bytes=blob.bytes
        )

    async def keep_file(self, path: str) -> str:
        """As a blob, of which the caller's document is to tell; its content hash."""
        return (await self._blobs.put_file(Path(path))).sha256

    async def _drop_refused(self, upload: str) -> None:
        """What could not be rendered is not kept, since nothing would ever erase it; unless a figure has it."""
        await self.drop("", [upload])

    async def drop(self, figure: str, blobs: Sequence[str]) -> None:
        """Files that were of this figure go, except those that another one needs: different files may give one
        rendition, byte for byte."""
        for blob in blobs:
            users = [(await self._figures.find({path: blob}, limit=2)).items for path in _FILES]
            if all(user.id == figure for found in users for user in found):
                await self._blobs.delete(blob)


def _article_key(row: Row) -> str:
    return row.doi or f"name:{row.collection}"


def _figure(draft: _Draft, project: str, actor: str) -> Figure:
    row, at = draft.new.row, now()
    return Figure(
        id=draft.id,
        project=project,
        key=draft.key,
        article=draft.article.reference(),
        label=row.label,
        legend=row.legend,
        legend_kind=draft.new.kind if row.legend else "none",
        language=row.language,
        picture=None if draft.reasons else draft.picture,
        quarantine=Quarantine(state="waiting", reasons=draft.reasons, picture=draft.picture) if draft.reasons else None,
        pixels=draft.pixels,
        technical=draft.technical,
        external_id=row.external_id,
        patient_group=row.patient_group,
        study_group=row.study_group,
        actor=actor,
        created_at=at,
        updated_at=at,
    )


def files_of(figure: Figure) -> tuple[str, ...]:
    """The content hashes of its files."""
    kept, picture = () if figure.pixels is None else (figure.pixels,), figure.held
    return kept if picture is None else (picture.display.blob, picture.thumbnail.blob, picture.sha256, *kept)


def _is_dicom(path: Path) -> bool | None:
    """None where it is no picture that is known."""
    with path.open("rb") as file:
        try:
            return sniff(file.read(132)) == "dicom"
        except Invalid:
            return None


def _waiting(figure: Figure) -> Invalid | None:
    if figure.quarantine is None:
        return None
    why = ", ".join(figure.quarantine.reasons).replace("_", " ")
    return Invalid(
        f"The picture waits in quarantine ({why}): it may show whose it is.",
        field="file",
        remedy="An administrator looks at it: page Quarantine, or mitagger quarantine list.",
    )


def _misnamed(figure: Figure, row: Row) -> Invalid | None:
    said = naming.by_ending(row.file)
    if figure.picture is None or said in (None, figure.picture.format):
        return None
    return Invalid(
        f"The file's name says {said}, its content is {figure.picture.format}; it was read by its content.",
        field="file",
        remedy="Check that it is the right file, and rename it.",
    )


def _difference(figure: Figure, row: Row) -> Invalid | None:
    names = [name for name in ("legend", "language", "external_id") if getattr(figure, name) != getattr(row, name)]
    if not names:
        return None
    return Invalid(
        f"The figure is there already, with another {' and '.join(names).replace('_', ' ')}; it was left as it is.",
        field=names[0],
        remedy=f"To correct it: PATCH /api/v1/figures/{figure.id}.",
    )


def _stored(time: datetime | None) -> str | None:
    """As documents are compared by it: ISO, in UTC, which it is where it has no time zone."""
    if time is None:
        return None
    return (time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)).isoformat()
