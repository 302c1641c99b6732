"""The public door: doors of its own, doors that pass on, and nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import FileResponse
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.gateway.api import (
    accounts,
    audit,
    bioportal,
    changes,
    erasures,
    events,
    files,
    identity,
    keys,
    passing,
    projects,
    system,
    workbench,
)
from services.gateway.api import oidc as oidc_door
from services.gateway.api.files import UPLOADING
from services.gateway.api.headers import ProtectingHeaders
from services.gateway.audit import Audit
from services.gateway.changes import Changes
from services.gateway.collecting import Collector
from services.gateway.erasing import Tracer
from services.gateway.identity import Identity
from services.gateway.leaving import Leaving
from services.gateway.oidc import OpenIdConnect
from shared.engine import Engine
from shared.http import NO_TELEMETRY, BoundedBody, Hop, Observed, Unfailing, add_routes, answer_with_problems

DOCUMENT: Final = Path(__file__).parent.parent / "openapi.json"  # written by tools/openapi.py


def public_door(
    engine: Engine,
    who: Identity,
    hops: Mapping[str, Hop],
    observer: system.Observer,
    collector: Collector,
    *,
    following: Changes,
    upload_bytes: int,
    trusted_proxies: Sequence[str] = (),
    oidc: OpenIdConnect | None = None,
) -> FastAPI:
    """The application that the world talks to."""
    app = FastAPI(title="MITagger", openapi_url=None, docs_url=None, redoc_url=None, telemetry=NO_TELEMETRY)
    app.state.identity = who
    record = Audit(engine.documents)
    add_routes(
        app,
        identity.router(who),
        oidc_door.router(who, oidc),
        accounts.router(who.accounts, who.projects, record, oidc.issuer if oidc else ""),
        keys.router(who.keys, who.projects, record),
        projects.router(who.projects, Leaving(who.projects, hops["annotation"], engine.signer), record),
        audit.router(record, who.accounts),
        files.router(engine.blobs, engine.signer, hops["ingest"], upload_bytes=upload_bytes),
    )
    keepers = {name: hops[name] for name in ("annotation", "recommender", "export") if name in hops}
    add_routes(
        app,
        erasures.router(Tracer(engine.signer, hops["ingest"], keepers), record),
        events.router(engine.bus, hops, engine.signer, record),
        changes.router(following),
        system.router(observer, collector, record),
        passing.router(hops, engine.signer, record),
        bioportal.router(who, hops["recommender"], engine.signer),
        workbench.router(workbench.BUILT),
    )
    app.mount("/assets", workbench.assets(workbench.BUILT))
    app.router.default = workbench.Elsewhere(workbench.BUILT, app.router.default)

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    async def openapi() -> FileResponse:
        return FileResponse(DOCUMENT, media_type="application/json")

    answer_with_problems(app)
    app.add_middleware(BoundedBody, streaming=UPLOADING)
    app.add_middleware(Unfailing)
    app.add_middleware(ProtectingHeaders)
    app.add_middleware(Observed, service="gateway")
    if trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(trusted_proxies))
    return app
