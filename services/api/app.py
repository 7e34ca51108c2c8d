"""The web application: API and dashboard in one uvicorn, apart from Ray: operators work while the rest restarts.

RequestIds → SecurityHeaders → LastResort → CountedRequests → SameOrigin → Rates → Access → Backpressure → BodyGuard
→ Idempotency → Unchanged → routes
"""

from functools import partial
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware

from pipelines.ingestion import ReadOptions
from services.access.oidc import provider_of
from services.api import (
    alerts,
    audit,
    captures,
    clusters,
    defects,
    events,
    health,
    heat,
    inspections,
    jobs,
    klarf_copy,
    labels,
    maps,
    models,
    quarantine,
    routing,
    rules,
    silences,
    thresholds,
    why,
)
from services.api.access import Access, Keys
from services.api.backpressure import Backpressure
from services.api.bundle_shelf import BundleShelf
from services.api.description import describe, operation_id
from services.api.drawing_store import DrawingStore, Opener
from services.api.explaining import Explaining
from services.api.guards import BodyGuard, SameOrigin, SecurityHeaders
from services.api.idempotency import Idempotency
from services.api.model_shelf import Models, ModelShelf
from services.api.needs import Doors
from services.api.problems import LastResort, handle_errors
from services.api.pulse import Pulse
from services.api.rates import Rates
from services.api.request_ids import RequestIds
from services.api.schemas import PREFIX
from services.api.unchanged import Unchanged
from services.api.watching import CountedRequests
from services.api.wiring import Accept, Wiring
from services.dashboard import (
    accounts,
    actions,
    attention,
    labelling,
    live,
    logging_in,
    models_page,
    pages,
    quality,
    reasons,
    reference,
    refusing,
    report,
    service,
    stacks,
    unknown,
)
from services.dashboard import (
    jobs as jobs_page,
)
from services.dashboard.looks import STATIC, problem_page
from services.records.session import Database
from services.settings import Settings
from services.telemetry.metrics import Metrics

_UPLOADS = (f"{PREFIX}/captures", "/upload")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_DESCRIPTION = """Wafer defect maps and aerial images in, verdicts, alerts and unknowns out.

Errors are `application/problem+json` with the parts what, where, expected, got and remedy. Lists continue with
`cursor=next`. Where the service asks for a login, send `Authorization: Bearer TOKEN`. Every answer names its request in
`X-Request-ID`: the id you sent there, the trace id of your `traceparent`, or a new one.
"""


def create_app(
    settings: Settings,
    database: Database,
    *,
    accept: Accept,
    opener: Opener,
    options: ReadOptions | None = None,
    metrics: Metrics | None = None,
    models_known: Models | None = None,
) -> FastAPI:
    """The application of one process.

    Args:
        settings: where things are; `host` decides whether a login is needed.
        database: opened by the caller, who closes it.
        accept: takes uploads in.
        opener: opens spooled files for drawing.
        options: how they are read; `opener` reads them so.
        metrics: of this process; made for the default registry if None.
        models_known: where versions of the model are; MLflow's if None.
    """
    keys = Keys(database, needs_login=settings.needs_login, secure=settings.secure_cookies)
    metrics = metrics or Metrics()
    app = FastAPI(
        title="waferwatch",
        version=_version(),
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        middleware=_layers(settings, database, keys, metrics),
    )
    drawings = DrawingStore(settings.spool_dir, settings.home / "drawings", opener)
    app.state.wiring = Wiring(
        settings=settings,
        database=database,
        metrics=metrics,
        keys=keys,
        drawings=drawings,
        provider=provider_of(settings),
        bundles=BundleShelf(settings.bundle_dir),
        explaining=Explaining(settings.bundle_dir, drawings),
        models=models_known or ModelShelf(settings.model_name, settings.mlflow_uri, settings.bundle),
        pulse=Pulse(database),
        accept=accept,
        options=options or ReadOptions(),
    )
    handle_errors(app, problem_page)
    machines = (
        captures,
        inspections,
        klarf_copy,
        maps,
        heat,
        defects,
        models,
        why,
        alerts,
        silences,
        rules,
        audit,
        jobs,
        quarantine,
        labels,
        clusters,
        routing,
        thresholds,
        events,
        health,
    )
    people = (
        pages,
        reasons,
        actions,
        jobs_page,
        attention,
        logging_in,
        accounts,
        unknown,
        labelling,
        models_page,
        stacks,
        quality,
        report,
        service,
        reference,
        refusing,
        live,
    )
    for module in (*machines, *people):
        app.include_router(module.routes)
    app.state.doors = Doors(app.routes)
    app.openapi = partial(describe, app)  # type: ignore[method-assign]
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _layers(settings: Settings, database: Database, keys: Keys, metrics: Metrics) -> list[Middleware]:
    """What every request passes on its way to a route, the outermost first."""
    # Without a login every foreign name for this address must be refused; with one, a proxy may call it anything.
    hosts = None if keys.needs_login else (*_LOOPBACK_NAMES, settings.host)
    rates = [Middleware(Rates, per_minute=settings.requests_per_minute, page=problem_page)]
    return [
        Middleware(RequestIds),
        Middleware(SecurityHeaders),
        Middleware(LastResort, page=problem_page),
        Middleware(CountedRequests, metrics=metrics),
        Middleware(SameOrigin, hosts=hosts, page=problem_page),
        *(rates if keys.needs_login else ()),
        Middleware(Access, keys=keys, page=problem_page),
        Middleware(Backpressure, database=database, most=settings.queue_limit, paths=_UPLOADS, page=problem_page),
        Middleware(BodyGuard, limits_bytes=dict.fromkeys(_UPLOADS, settings.upload_limit_bytes)),
        Middleware(Idempotency, database=database),
        Middleware(Unchanged),
    ]


def _version() -> str:
    try:
        return version("waferwatch")
    except PackageNotFoundError:
        return "0"
