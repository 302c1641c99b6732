"""image.uploaded and image.deleted: a figure as `ingest` owns it."""

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from shared.events.envelope import Body, Event
from shared.events.legend import LegendKind


class Article(Body):
    """Where figures come from: an article with a DOI, or a local collection (then `doi` is null)."""

    id: str
    doi: str | None = None
    collection: str | None = None
    title: str = ""
    journal: str = ""
    year: int | None = None


class Rendition(Body):
    """A picture made from the figure for people to see: `blob` is its content hash (sha256, hex)."""

    blob: str
    media_type: str
    width: Annotated[int, Field(description="Pixels")]
    height: Annotated[int, Field(description="Pixels")]
    bytes: int


class Picture(Body):
    """The figure's image: what was sent, and its renditions. Figures may come without one."""

    file: Annotated[str, Field(description="File name as sent; for DICOM an id, never the name")]
    sha256: Annotated[str, Field(description="Of the file as sent, hex")]
    format: Annotated[str, Field(description="png, jpeg, tiff, webp, gif, bmp, jpeg2000 or dicom")]
    width: int
    height: int
    display: Rendition
    thumbnail: Rendition
    pages: Annotated[int, Field(description="Pages (of a TIFF) that can be looked at")] = 1
    frames: Annotated[int, Field(description="Frames (of a DICOM, GIF or WebP) that can be looked at")] = 1
    windowed: Annotated[bool, Field(description="It has more greys than a screen: a window and level make sense")] = (
        False
    )


class ImageUploaded(Event):
    """A figure is there, new or revised (a corrected legend or metadata)."""

    topic: ClassVar[str] = "image.uploaded"
    source: ClassVar[str] = "ingest"
    kept: ClassVar[timedelta | None] = timedelta(days=30)

    article: Article
    label: Annotated[str, Field(description='The figure\'s label in its article: "Figure 2"')] = ""
    legend: str = ""
    legend_kind: LegendKind = "legend"
    language: Annotated[str | None, Field(description="BCP 47 tag given by the sender")] = None
    picture: Picture | None = None
    withheld: Annotated[bool, Field(description="There is a picture that waits in quarantine, or was refused")] = False
    technical: Annotated[dict[str, str], Field(description="Code values only, e.g. Modality: MR")] = {}
    external_id: Annotated[str | None, Field(description="Opaque id of the sender")] = None
    patient_group: str | None = None
    study_group: str | None = None


class ImageDeleted(Event):
    """A figure is erased; everything derived from it goes too."""

    topic: ClassVar[str] = "image.deleted"
    source: ClassVar[str] = "ingest"
