"""Verbs that keep the embedded database safe: `backup`, `restore`, `rescan`."""

from pathlib import Path
from typing import Annotated

import typer

from models.domain.errors import InputError
from services.cli.installation import me, opened
from services.cli.show import Json, print_json, terminal
from services.settings import Settings


def add_keeping(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb in (backup, restore, rescan):
        app.command()(verb)


def backup(as_json: Json = False) -> None:
    """Check and copy the embedded database (SQLite) while the service runs.

    Copies go to WAFERWATCH_BACKUP_DIR (default HOME/backups); the housekeeper makes one a day and keeps
    WAFERWATCH_BACKUP_KEEP of them. Copy the spool with any tool afterwards: its files never change. For PostgreSQL see
    infra/postgres/README.md.
    """
    from services.records.backup import back_up

    settings = Settings.load()
    with opened(settings) as database, terminal.status("checking and copying"):
        made = back_up(database, settings.backup_dir, max(1, settings.backup_keep))
    if as_json:
        print_json({"backup": made, "size_bytes": made.stat().st_size})
    else:
        terminal.print(f"{made} ({made.stat().st_size:,} bytes), checked")


def restore(
    copy: Annotated[Path | None, typer.Argument(help="A copy that 'backup' made; the newest if none is named.")] = None,
    as_json: Json = False,
) -> None:
    """Put a copy of the embedded database in its place, and find what came since it was made.

    Stop the service first. The database that is there now is set aside, not removed. Files that arrived after the copy
    was made are taken from the spool again ('rescan'); alerts they raise carry the same event ids, so that receivers
    drop what they know.
    """
    from services.records.backup import backups
    from services.records.backup import restore as put_back
    from services.records.session import Database

    settings = Settings.load()
    known = backups(settings.backup_dir)
    chosen = copy or (known[-1] if known else None)
    if chosen is None or not chosen.is_file():
        raise InputError("no such backup", where=str(chosen or settings.backup_dir), expected="a copy 'backup' made")
    aside = put_back(Database(settings.database_url), chosen)
    found = _rescan(settings, f"restored {chosen.name}")
    if as_json:
        print_json({"restored": chosen, "before": aside, "files": found})
    else:
        terminal.print(f"{chosen.name} is the database now; what was there is {aside}")
        terminal.print(f"{found:,} files of the spool were not in it: they are inspected when the service runs")


def rescan(as_json: Json = False) -> None:
    """Ask for the inspection of every file of the spool that the database does not know, as after a restore."""
    found = _rescan(Settings.load(), "rescan")
    if as_json:
        print_json({"files": found})
    else:
        terminal.print(f"{found:,} files were not known")


def _rescan(settings: Settings, deed: str) -> int:
    from services.intake.rescanning import rescan as look
    from services.intake.spool import Spool
    from services.records.journal import write_down

    found = 0
    with opened(settings) as database, terminal.status("looking through the spool") as status:
        for new in look(database, Spool(settings.spool_dir, settings.file_limit_bytes), settings.route):
            found += new
            status.update(f"{found:,} files that were not known")
        with database.write() as session:
            write_down(session, actor=me(), deed=deed, subject="database", files=found)
    return found
