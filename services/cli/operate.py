"""Verbs that run the service: `up` for all on one machine, and each part by itself."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.domain.errors import InputError
from services.cli.show import Json, print_json, print_table, terminal
from services.priority import Priority
from services.settings import Settings

if TYPE_CHECKING:
    from services.parts.shared import Foundation


def add_operations(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb in (up, ingest, api, watch, housekeep, serve, migrate):
        app.command()(verb)


def up() -> None:
    """Run the whole service on this machine until Ctrl-C.

    Parts: API and dashboard, folder watcher, housekeeper, Ray Serve. Everything is kept in WAFERWATCH_HOME (default
    .waferwatch); a part that dies is started again. Settings are environment variables, WAFERWATCH_*.
    """
    from services.supervisor import Supervisor
    from services.up import environment_of, parts, prepare_home

    settings = Settings.load()
    prepare_home(settings)
    supervisor = Supervisor(parts(), settings.home / "logs", environment_of(settings))
    supervisor.stop_on_signals()
    terminal.print(
        f"dashboard: [bold]http://{settings.host}:{settings.port}/[/bold]   watch folder: {settings.watch_dir}"
    )
    terminal.print(f"logs: {settings.home / 'logs'}   Ctrl-C ends the service")
    supervisor.run()


def ingest(
    files: Annotated[
        list[str], typer.Argument(help="Files to inspect, or s3://, gs://, az:// URIs; they are copied, not moved.")
    ],
    wait: Annotated[float, typer.Option(help="Seconds to wait for their jobs to end.")] = 0.0,
    priority: Annotated[
        Priority, typer.Option(help="held goes before everything else, backfill behind.")
    ] = Priority.NORMAL,
    as_json: Json = False,
) -> None:
    """Hand files to the running service, as the watch folder would.

    Prints the job of each file. The same bytes are inspected once, however often they come. Credentials of object
    stores come from the environment, their other options ('storage') from WAFERWATCH_READING.

    Example: waferwatch ingest lot7/wafer04.001 s3://tools/SP5-02/lot8.klarf --wait 60
    """
    from services.parts.shared import lay_foundation
    from services.records import queries
    from services.records.views import JobSummary

    for file in files:
        if "://" not in file and not Path(file).is_file():
            raise InputError("no such file", where=file, expected="a regular file")
    foundation = lay_foundation(Settings.load())
    ids = [_take_in(file, foundation, priority) for file in files]

    def jobs() -> list[JobSummary]:
        with foundation.database.read() as session:
            return [job for job in (queries.job(session, one) for one in ids) if job is not None]

    end = time.monotonic() + wait
    found = jobs()
    while any(job.finished_at is None for job in found) and time.monotonic() < end:
        time.sleep(0.2)
        found = jobs()
    if as_json:
        print_json(found)
    else:
        rows = [(job.id, job.file_name, job.state.value, str(job.error or "")) for job in found]
        print_table("jobs", ("job", "file", "state", "error"), rows)


def _take_in(file: str, foundation: "Foundation", priority: Priority) -> int:
    """Spool a file or what a URI names; the id of its job."""
    from pipelines.ingestion import Limits, fetch
    from services.intake.receiving import Arrival, receive
    from services.parts.shared import options_of

    settings = foundation.settings
    remote = None
    if "://" in file:
        remote = fetch(file, Limits(file_bytes=settings.file_limit_bytes), options_of(settings).storage)
    name, path = (file, remote.path) if remote else (str(Path(file).absolute()), Path(file))
    arrival = Arrival("command", name, "command line", route=settings.route, priority=priority)
    with path.open("rb") as stream:
        return receive(foundation.database, foundation.spool, stream, arrival).job_id


def api() -> None:
    """Run the API and dashboard (one part of the service)."""
    from services.parts.api import run_api

    run_api(Settings.load())


def watch() -> None:
    """Run the folder watcher (one part of the service)."""
    from services.parts.watch import run_watch

    run_watch(Settings.load())


def housekeep() -> None:
    """Run the housekeeper: outbox, hopeless jobs, releases (one part of the service)."""
    from services.parts.housekeep import run_housekeep

    run_housekeep(Settings.load())


def serve() -> None:
    """Run inspectors and classifiers on Ray Serve (one part of the service).

    Uses a Ray of its own, or the cluster that RAY_ADDRESS names; `serve deploy deploy/serve.yaml` does the same for a
    cluster that is managed elsewhere.
    """
    from services.parts.serve import run_serve

    run_serve(Settings.load())


def migrate() -> None:
    """Bring the database's tables to the shape of this version; every part does so at its start."""
    from services.parts.shared import lay_foundation

    lay_foundation(Settings.load())
    terminal.print("the database has the newest shape")
