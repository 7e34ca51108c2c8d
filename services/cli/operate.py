"""Verbs that run the service: `up` for all on one machine, and each part by itself."""

import time
from pathlib import Path
from typing import Annotated

import typer

from models.domain.errors import InputError
from services.cli.show import Json, print_json, print_table, terminal
from services.priority import Priority
from services.settings import Settings


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
    files: Annotated[list[Path], typer.Argument(help="Files to inspect; they are copied, not moved.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait for their jobs to end.")] = 0.0,
    priority: Annotated[
        Priority, typer.Option(help="held goes before everything else, backfill behind.")
    ] = Priority.NORMAL,
    as_json: Json = False,
) -> None:
    """Hand files to the running service, as the watch folder would.

    Prints the job of each file. The same bytes are inspected once, however often they come.
    """
    from services.intake.receiving import Arrival, receive
    from services.parts.shared import lay_foundation
    from services.records import queries
    from services.records.views import JobSummary

    for path in files:
        if not path.is_file():
            raise InputError("no such file", where=str(path), expected="a regular file")
    foundation = lay_foundation(Settings.load())
    ids = []
    for path in files:
        with path.open("rb") as stream:
            route, sender = foundation.settings.route, "command line"
            arrival = Arrival("command", str(path.absolute()), sender, route=route, priority=priority)
            ids.append(receive(foundation.database, foundation.spool, stream, arrival).job_id)

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
