"""`waferwatch audit`: take the audit trail out, and check it without any database."""

from pathlib import Path
from typing import Annotated

import typer

from models.domain.errors import InputError
from services.cli.show import Json, print_json, terminal
from services.settings import Settings


def add_audit(app: typer.Typer) -> None:
    """Register the verbs."""
    audit = typer.Typer(
        no_args_is_help=True,
        help="Who did what: append-only chains of hashes, taken out and checked.\n\n"
        "Keep exports where the service's administrators cannot change them: only an older export shows that rows "
        "are missing at the end of a chain.",
    )
    for verb in (export, verify):
        audit.command()(verb)
    app.add_typer(audit, name="audit")


def export(out: Annotated[Path, typer.Argument(help="File to write (JSON lines).")]) -> None:
    """Write every event of every alert and every line of the journal, with their hashes."""
    from services.alerting.audit import export as lines
    from services.parts.shared import lay_foundation

    foundation = lay_foundation(Settings.load())
    with foundation.database.read() as session, out.open("w", encoding="utf-8") as stream:
        stream.writelines(lines(session))
    terminal.print(f"wrote {out}")


def verify(
    file: Annotated[Path, typer.Argument(help="An export.")],
    against: Annotated[Path | None, typer.Option(help="An older export that must be contained in it.")] = None,
    as_json: Json = False,
) -> None:
    """Recompute every hash of an export; needs no database and no service.

    Exit status 2 and one line on stderr names the first row that was changed, removed or added.
    """
    from services.alerting.audit import check_contains
    from services.alerting.audit import verify as check

    for path in (file, against):
        if path is not None and not path.is_file():
            raise InputError("no such file", where=str(path), expected="an export of the audit trail")
    with file.open(encoding="utf-8") as stream:
        found = check(stream, str(file))
    if against is not None:
        with against.open(encoding="utf-8") as older, file.open(encoding="utf-8") as newer:
            check_contains(newer, check(older, str(against)), str(file))
    if as_json:
        print_json({"rows": found.rows, "chains": len(found.heads), "whole": True})
    else:
        terminal.print(f"{found.rows} rows in {len(found.heads)} chains: unbroken")
