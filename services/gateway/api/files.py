"""Doors for files: uploads stream to the blobs, granted files stream back."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from services.gateway.api.asking import PersonDep, ProjectDep
from services.gateway.api.passing import passed_back
from services.gateway.byterange import NotSatisfiable, requested
from services.gateway.forms import Form, read_form
from shared.blobs import Blob, Blobs
from shared.errors import Invalid, TooLarge
from shared.grants import Grant, Signer
from shared.http import Hop

# Formats that a browser shows and cannot run; all else is saved, never shown.
SHOWN: Final = frozenset({"image/jpeg", "image/png"})
SAVED: Final = frozenset({"text/csv", "application/xml", "application/json", "application/zip"})
FORM_BYTES: Final = 1_000_000
# Rendering may take 60 s (services/ingest/figures.py), and may wait for a worker first.
RENDERING_SECONDS: Final = 120.0
UPLOADING: Final = frozenset({"/api/v1/uploads", "/api/v1/figures", "/api/v1/imports/archive"})

_FIGURE_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "PNG, JPEG, TIFF, WebP, GIF, BMP, JPEG 2000 or DICOM",
                        },
                        "doi": {"type": "string", "description": "Of the article; or `collection`"},
                        "collection": {"type": "string", "description": "Name of a local collection; or `doi`"},
                        "label": {"type": "string"},
                        "legend": {"type": "string", "description": "At most 50,000 code points"},
                        "title": {"type": "string"},
                        "journal": {"type": "string"},
                        "year": {"type": "integer"},
                        "legend_kind": {"type": "string", "enum": ["legend", "report", "none"]},
                        "language": {"type": "string", "description": "BCP 47 tag"},
                        "external_id": {"type": "string"},
                        "patient_group": {"type": "string"},
                        "study_group": {"type": "string"},
                    },
                },
                "example": {
                    "doi": "10.1371/journal.pone.0000001",
                    "label": "Figure 1",
                    "legend": "Axial CT of the liver.",
                    "file": "figure1.png",
                },
            }
        },
    }
}
_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}, "example": "(the bytes)"}
_RAW: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}},
}
_ARCHIVE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/zip": _BINARY,
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}},
                "example": {"file": "figures.zip"},
            },
        },
    }
}


class UploadView(BaseModel):
    """A stored file: `upload` is its content hash (SHA-256, hex)."""

    upload: str
    bytes: int


def router(blobs: Blobs, signer: Signer, ingest: Hop, *, upload_bytes: int) -> APIRouter:
    """The routes of files. `upload_bytes`: the largest file taken."""
    routes = APIRouter()

    async def store(chunks: AsyncIterable[bytes]) -> Blob:
        return await blobs.put(chunks, limit=upload_bytes)

    async def form_of(request: Request) -> Form[Blob]:
        body = _bounded(request, upload_bytes + FORM_BYTES)
        return await read_form(request.headers.get("content-type", ""), body, lambda _name, chunks: store(chunks))

    @routes.post("/api/v1/uploads", status_code=201, tags=["figures"], summary="Upload a file", openapi_extra=_RAW)
    async def upload(request: Request, person: PersonDep) -> UploadView:
        """The body is the file. Name the answer's `upload` in the rows of an import."""
        person.caller.require_somewhere("figure.write")
        blob = await store(_bounded(request, upload_bytes))
        return UploadView(upload=blob.sha256, bytes=blob.bytes)

    @routes.post(
        "/api/v1/figures",
        tags=["figures"],
        summary="Create a figure, with its image",
        openapi_extra=_FIGURE_FORM,
        response_class=Response,
        status_code=201,
        responses={201: {"description": "The figure"}},
    )
    async def create_figure(request: Request, person: PersonDep, project: ProjectDep) -> Response:
        """The same image and label of an article is one figure, however often it is sent."""
        person.caller.require("figure.write", project=project)
        form = await form_of(request)
        figure: dict[str, str] = {name: value for name, value in form.fields.items() if value and name != "file"}
        if form.stored is not None and form.file_name is not None:
            figure |= {"file": form.file_name, "upload": form.stored.sha256}
        token = signer.token(person.caller, ingest.service)
        return passed_back(
            await ingest.request(
                "POST",
                "/internal/figures",
                token=token,
                params={"project": project},
                json=figure,
                seconds=RENDERING_SECONDS,
            )
        )

    @routes.post(
        "/api/v1/imports/archive",
        tags=["imports"],
        summary="Import a zip of figures with its manifest",
        openapi_extra=_ARCHIVE,
        response_class=Response,
        status_code=202,
        responses={202: {"description": "The import, which runs on"}},
    )
    async def import_archive(
        request: Request,
        person: PersonDep,
        project: ProjectDep,
        name: Annotated[str, Query(max_length=200)] = "archive.zip",
    ) -> Response:
        """`name` names the import where the body is the zip itself."""
        person.caller.require("import.run", project=project)
        if request.headers.get("content-type", "").lower().startswith("multipart/"):
            form = await form_of(request)
            if form.stored is None:
                raise Invalid("The form has no file.", field="file", remedy="Send the zip as the field `file`.")
            blob, name = form.stored, form.file_name or name
        else:
            blob = await store(_bounded(request, upload_bytes))
        token = signer.token(person.caller, ingest.service)
        body = {"name": name, "upload": blob.sha256}
        return passed_back(
            await ingest.request("POST", "/internal/imports", token=token, params={"project": project}, json=body)
        )

    @routes.get(
        "/api/v1/files/{grant}",
        tags=["figures"],
        summary="Read a granted file",
        response_class=Response,
        responses={200: {"content": {"*/*": {}}}, 206: {"description": "A part"}, 304: {"description": "Unchanged"}},
    )
    async def file(
        grant: str,
        wanted: Annotated[str | None, Header(alias="Range")] = None,
        known: Annotated[str | None, Header(alias="If-None-Match")] = None,
    ) -> Response:
        """The address holds the leave to read one file for about an hour; nothing else is needed."""
        granted = signer.granted(grant)
        blob = await blobs.stat(granted.blob)
        headers = _file_headers(granted)
        if known == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        try:
            part = requested(wanted, blob.bytes)
        except NotSatisfiable:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{blob.bytes}"})
        start, end = part or (0, blob.bytes)
        headers["Content-Length"] = str(end - start)
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.bytes}"
        stream = blobs.stream(granted.blob, start=start, end=end)
        return StreamingResponse(stream, status_code=206 if part else 200, headers=headers)

    return routes


def _file_headers(granted: Grant) -> dict[str, str]:
    shown, known = granted.media_type in SHOWN, granted.media_type in SHOWN | SAVED
    disposition = "inline" if shown and not granted.file_name else "attachment"
    if granted.file_name:
        disposition += f"; filename*=UTF-8''{quote(granted.file_name, safe='')}"
    return {
        "Content-Type": granted.media_type if known else "application/octet-stream",
        "Content-Disposition": disposition,
        "ETag": f'"{granted.blob}"',
        "Accept-Ranges": "bytes",
        # Private: the address is the permission. A blob never changes.
        "Cache-Control": "private, max-age=1800, immutable",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


async def _bounded(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body in parts. Raises TooLarge before reading where the length is declared, else when it is passed."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    seen = 0
    async for chunk in request.stream():
        seen += len(chunk)
        if seen > limit:
            raise _too_large(limit)
        if chunk:
            yield chunk


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The request has more than {limit:,} bytes.",
        remedy="Send a smaller file, or let the administrator raise MITAGGER_UPLOAD_BYTES.",
    )
