"""Verbs about what waits and what went wrong: `jobs list | show | hurry | cancel | retry`, and `reinspect`."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from models.domain.errors import InputError
from services.cli.installation import me, opened
from services.cli.show import Json, print_json, print_table, terminal
from services.priority import Priority
from services.settings import Settings

if TYPE_CHECKING:
    from services.records.session import WriteSession

jobs = typer.Typer(
    no_args_is_help=True,
    help="Files on their way: what waits, what runs, what went wrong; and what to do about it.\n\n"
    "States: queued, running, done; quarantined (the file is wrong), dead (every try failed), cancelled.",
)
Ids = Annotated[list[int], typer.Argument(help="Numbers of jobs, as 'waferwatch jobs list' shows them.")]


def add_jobs(app: typer.Typer) -> None:
    """Register the verbs."""
    app.add_typer(jobs, name="jobs")
    app.command()(reinspect)


@jobs.command("list")
def list_jobs(
    state: Annotated[list[str] | None, typer.Option(help="Only these: queued, running, dead …; repeatable.")] = None,
    sender: Annotated[str | None, typer.Option(help="Only files that came from there.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """Jobs, the newest first.

    Example: waferwatch jobs list --state dead --state quarantined
    """
    from services.records import queries
    from services.records.tables import JobState

    unknown = set(state or ()) - set(JobState)
    if unknown:
        raise InputError("no such state", got=", ".join(sorted(unknown)), expected=" | ".join(JobState))
    states = [JobState(one) for one in state] if state else list(JobState)
    with opened() as database, database.read() as session:
        found = queries.jobs(session, states=states, sender=sender, limit=limit).items
    if as_json:
        print_json(found)
    else:
        columns = ("job", "file", "sender", "state", "priority", "tries", "since", "error")
        rows = [
            (one.id, one.file_name, one.sender or None, one.state.value, one.priority, one.attempts,
             f"{one.created_at:%Y-%m-%d %H:%M}", one.error and one.error.what)
            for one in found
        ]  # fmt: skip
        print_table("jobs", columns, rows)


@jobs.command("show")
def show_job(job: Annotated[int, typer.Argument(help="Number of the job.")], as_json: Json = False) -> None:
    """One job with the reason of its last failed try, in full."""
    from services.records import queries

    with opened() as database, database.read() as session:
        found = queries.job(session, job)
    if found is None:
        raise InputError("no such job", where=f"job {job}", remedy="see 'waferwatch jobs list'", code="no-such-job")
    if as_json:
        print_json(found)
        return
    facts = [
        ("file", found.file_name), ("sender", found.sender or None), ("SHA-256", found.sha256),
        ("route", found.route), ("state", found.state.value), ("priority", found.priority),
        ("tries", found.attempts), ("windows of this try", found.windows_done), ("since", found.created_at),
        ("next try from", found.not_before if found.state.value == "queued" else None),
        ("ended", found.finished_at), ("error", found.error and str(found.error)),
        ("inspections", len(found.inspection_ids)),
    ]  # fmt: skip
    print_table(f"job {job}", ("what", "is"), [(name, None if value is None else str(value)) for name, value in facts])


@jobs.command("hurry")
def hurry_jobs(
    ids: Ids,
    to: Annotated[Priority, typer.Option(help="held goes before everything else, backfill behind.")] = Priority.HELD,
) -> None:
    """Give waiting jobs another place in the queue: a lot is held, or can wait after all."""
    from services.jobs import hurry

    _each(ids, f"job made {to.value}", lambda session, one: hurry(session, one, to))


@jobs.command("cancel")
def cancel_jobs(ids: Ids) -> None:
    """Give jobs up that are not wanted any more, or that failed and were seen to by other means.

    A worker that has one stops and records nothing.
    """
    from services.jobs import cancel

    _each(ids, "job cancelled", cancel)


@jobs.command("retry")
def retry_jobs(ids: Ids) -> None:
    """Put jobs that failed or were cancelled back into the queue, with all their tries."""
    from services.jobs import retry

    _each(ids, "job retried", retry)


def _each(ids: list[int], deed: str, do: "Callable[[WriteSession, int], None]") -> None:
    """All of them or none."""
    from services.records.journal import write_down

    with opened() as database, database.write() as session:
        for one in ids:
            do(session, one)
        write_down(session, actor=me(), deed=deed, subject=", ".join(f"job {one}" for one in ids))
    terminal.print(f"{deed}: {', '.join(map(str, ids))}")


def reinspect(
    bundle: Annotated[str, typer.Option(help="Folder of a bundle, or an alias in the registry.")] = "champion",
    lot: Annotated[str | None, typer.Option(help="Only this lot.")] = None,
    product: Annotated[str | None, typer.Option(help="Only this product.")] = None,
    step: Annotated[str | None, typer.Option(help="Only this process step.")] = None,
    tool: Annotated[str | None, typer.Option(help="Only this tool.")] = None,
    label: Annotated[str | None, typer.Option(help="Only captures with this label.")] = None,
    unknown: Annotated[
        bool | None, typer.Option("--unknown/--named", help="Only captures that were refused a label, or given one.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Recorded from then on, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Recorded before, UTC.")] = None,
    priority: Annotated[Priority, typer.Option(help="backfill: when nothing else is to do.")] = Priority.BACKFILL,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the files, ask for nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Inspect again what was inspected before, with another bundle.

    The running service does the work. Files the bundle judged already are left alone, so that a command that was
    interrupted goes on by being repeated. An alert counts a capture once, with whatever bundle: none is repeated.

    Example: waferwatch reinspect --bundle champion --unknown --since 2026-03-01
    """
    from datetime import UTC

    from services.cli.look import bundle_folder
    from services.jobs.reinspecting import Wish
    from services.jobs.reinspecting import reinspect as ask
    from services.records.journal import write_down
    from services.records.queries import InspectionFilter
    from services.serving.bundle_store import BundleStore

    settings = Settings.load()
    settings.make_folders()
    digest = BundleStore(settings.bundle_dir).install(bundle_folder(bundle)).ref.digest
    wish = Wish(
        digest,
        InspectionFilter(lot, tool, product, step, label, unknown),
        since and since.replace(tzinfo=UTC),
        until and until.replace(tzinfo=UTC),
        sender=me(),
        priority=priority,
    )
    files = made = 0
    with opened(settings) as database, terminal.status("looking for files") as status:
        for asked in ask(database, wish, dry=dry_run):
            files, made = files + asked.files, made + asked.jobs
            status.update(f"{files:,} files, {made:,} new jobs")
        if not dry_run:
            with database.write() as session:
                write_down(session, actor=me(), deed="reinspection", subject=f"bundle {digest}", jobs=made)
    if as_json:
        print_json({"bundle": digest, "files": files, "jobs": made})
    else:
        terminal.print(f"{files:,} files for bundle {digest[:12]}" + ("" if dry_run else f": {made:,} new jobs"))
