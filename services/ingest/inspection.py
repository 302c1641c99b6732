"""An administrator looks at pictures in quarantine and decides: confirm, black out, refuse.

A decision is one write of the figure, with the event that tells of it. Files that it takes away stand in the figure's
`gone` from then on, and go when the event is heard (`figures.Figures.tidy`), however often that is.
"""

from collections.abc import Callable, Sequence
from typing import Final

from services.ingest.events import uploaded
from services.ingest.figures import RENDER_SECONDS, Figures, files_of
from services.ingest.model import Figure, Quarantine, Rectangle, Refusal
from services.ingest.rendered import Rendered
from services.ingest.renditions import REDACTED, black_out
from services.ingest.views import Views
from shared.blobs import Blobs
from shared.clock import now
from shared.documents.port import Collection, Documents, Page
from shared.errors import Conflict, Invalid, NotFound
from shared.events.envelope import Event
from shared.events.image import Picture
from shared.workers import Workers

MOST_RECTANGLES: Final = 100


class Inspection:
    """Of the pictures of one store."""

    def __init__(self, documents: Documents, blobs: Blobs, workers: Workers, figures: Figures, views: Views) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._blobs = blobs
        self._workers = workers
        self._files = figures
        self._views = views

    async def page(self, *, project: str, after: str | None, limit: int) -> Page[Figure]:
        """Figures whose picture waits, the oldest first."""
        where = {"project": project, "quarantine.state": "waiting"}
        return await self._figures.find(where, sort=["created_at"], after=after, limit=limit)

    async def waiting(self, *, project: str) -> int:
        """How many pictures wait."""
        return await self._figures.count({"project": project, "quarantine.state": "waiting"})

    async def figure(self, id: str) -> Figure:
        """Whether its picture was in quarantine or not. Raises NotFound, Erased."""
        return await self._figures.get(id)

    async def get(self, id: str) -> Figure:
        """A figure whose picture waits or was decided on. Raises NotFound, Erased."""
        figure = await self._figures.get(id)
        if figure.quarantine is None:
            raise NotFound("The picture of this figure never was in quarantine.")
        return figure

    async def confirm(self, id: str, *, version: int | None, actor: str) -> Figure:
        """Lets everybody see the picture. Confirming twice is confirming once. Raises NotFound, Erased, Conflict (also
        where it was refused)."""

        def decided(figure: Figure, known: Quarantine) -> Figure:
            if known.state == "refused":
                raise _decided_already("confirmed", known)
            if known.state != "waiting":
                return figure
            seen = known.model_copy(update={"state": "confirmed", "picture": None})
            return figure.changed(picture=known.picture, quarantine=seen)

        await self.get(id)
        return await self._decide(id, decided, version=version, actor=actor)

    async def refuse(self, id: str, reason: Refusal, *, version: int | None, actor: str) -> Figure:
        """Takes the picture away and erases its files; the figure keeps its legend. Also of a picture that was seen
        already. Refusing twice is refusing once. Raises NotFound, Erased, Conflict."""

        def decided(figure: Figure, known: Quarantine) -> Figure:
            if known.state == "refused":
                return figure
            if figure.held is None:
                raise _no_picture()
            gone = tuple(dict.fromkeys((*figure.gone, *files_of(figure))))
            refused = known.model_copy(update={"state": "refused", "picture": None, "refusal": reason})
            return figure.changed(picture=None, pixels=None, quarantine=refused, gone=gone)

        return await self._decide(id, decided, version=version, actor=actor)

    async def black_out(self, id: str, rectangles: Sequence[Rectangle], *, version: int | None, actor: str) -> Figure:
        """Makes parts of the picture black on every page and frame, in all that is stored of it, erases what was, and
        lets everybody see it. Also of a picture that was seen already. The same again changes nothing.

        Raises NotFound, Erased, Conflict; Invalid for a part outside of the picture, or one that is too large to be
        made anew.
        """
        figure = await self._figures.get(id)
        done = figure.quarantine
        if done and done.state == "blacked_out" and set(rectangles) <= set(done.blacked):
            return figure
        if version is not None and version != figure.version:
            raise Conflict("Somebody changed the figure since you saw it.", difference=_between("blacked_out", done))
        before = figure.held
        if before is None:
            raise _no_picture()
        _check(rectangles, before)
        after = await self._made(figure, before, rectangles)
        new = files_of(after)

        def decided(figure: Figure, known: Quarantine) -> Figure:
            if figure.held != before:
                raise _decided_already("blacked_out", known)
            old = files_of(figure)
            blacked = known.model_copy(
                update={"state": "blacked_out", "picture": None, "blacked": (*known.blacked, *rectangles)}
            )
            gone = tuple(blob for blob in dict.fromkeys((*figure.gone, *old)) if blob not in new)
            return figure.changed(picture=after.picture, pixels=after.pixels, quarantine=blacked, gone=gone)

        try:
            return await self._decide(id, decided, version=version, actor=actor)
        except Exception:
            await self._files.drop(id, [blob for blob in new if blob not in files_of(figure)])
            raise

    async def _decide(
        self, id: str, decided: Callable[[Figure, Quarantine], Figure], *, version: int | None, actor: str
    ) -> Figure:
        at = now()

        def change(figure: Figure) -> tuple[Figure, Sequence[Event]]:
            known = figure.quarantine or Quarantine(state="confirmed")
            changed = decided(figure, known)
            if changed == figure or changed.quarantine is None:
                return figure, ()
            signed = changed.quarantine.model_copy(update={"decided_by": actor, "decided_at": at})
            changed = changed.changed(quarantine=signed, updated_at=at, actor=actor)
            return changed, [uploaded(changed, revision=figure.version + 1)]

        try:
            figure = await self._figures.update(id, change, version=version)
        except Conflict as conflict:
            figure = await self._figures.get(id)
            if decided(figure, figure.quarantine or Quarantine(state="confirmed")) != figure:
                raise Conflict(conflict.message, difference=conflict.difference) from conflict
        await self._files.tidy(figure)
        if figure.gone:
            await self._views.forget([id])  # other processes sweep
        return figure

    async def _made(self, figure: Figure, picture: Picture, rectangles: Sequence[Rectangle]) -> Figure:
        """The figure with a picture in which these parts are black, its files stored."""
        if picture.format != "dicom":
            source, kind = picture.sha256, picture.format
        elif figure.pixels is not None:
            source, kind = figure.pixels, "dicom"
        else:  # it came in before pixels were kept
            source, kind = picture.display.blob, "jpeg"
        areas = [(one.left, one.top, one.width, one.height) for one in rectangles]
        size = (picture.width, picture.height)
        async with self._blobs.local(source) as path:
            with self._blobs.folder() as folder:
                made: Rendered = await self._workers.run(
                    black_out, str(path), kind, areas, size, str(folder), timeout=RENDER_SECONDS
                )
                display, thumbnail = [await self._files.keep(jpeg) for jpeg in (made.display, made.thumbnail)]
                shown: dict[str, object] = {"display": display, "thumbnail": thumbnail}
                if source == picture.display.blob or made.pixels is None:
                    return figure.changed(picture=picture.model_copy(update=shown))
                kept = await self._files.keep_file(made.pixels)
        shown |= {"pages": made.pages, "frames": made.frames, "windowed": made.deep}
        if kind == "dicom":
            return figure.changed(picture=picture.model_copy(update=shown), pixels=kept)
        shown |= {"sha256": kept, "format": REDACTED}
        return figure.changed(picture=picture.model_copy(update=shown))


def _check(rectangles: Sequence[Rectangle], picture: Picture) -> None:
    for one in rectangles:
        if one.left + one.width > picture.width or one.top + one.height > picture.height:
            raise Invalid(
                f"A rectangle ends outside of the picture, which has {picture.width} x {picture.height} pixels.",
                field="rectangles",
                remedy="Count pixels of the picture as sent, upright, from its upper left corner.",
            )


def _no_picture() -> NotFound:
    return NotFound("The figure has no picture.")


def _decided_already(yours: str, known: Quarantine) -> Conflict:
    return Conflict(
        f"Somebody decided on this picture already: {known.state.replace('_', ' ')}.", difference=_between(yours, known)
    )


def _between(yours: str, known: Quarantine | None) -> dict[str, dict[str, str]]:
    return {"state": {"yours": yours, "theirs": known.state if known else ""}}
