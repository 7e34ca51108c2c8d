"""The verb for archives: `backfill`."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.look import Reading, bundle_folder
from services.cli.show import Json, print_json, progress_bar, terminal
from services.settings import Settings

MOST_SHOWN = 5


def add_archives(app: typer.Typer) -> None:
    """Register the verb."""
    app.command()(backfill)


def backfill(
    source: Annotated[str, typer.Argument(help="Folder of files, or s3://, gs://, az:// URI; folders below count.")],
    out: Annotated[Path, typer.Option(help="Folder for the results, Parquet.")],
    bundle: Annotated[str, typer.Option(help="Folder of a bundle, or an alias in the registry.")] = "champion",
    workers: Annotated[
        int, typer.Option(min=0, help="Processes of Ray Data, on RAY_ADDRESS or a Ray of its own; 0 = this one.")
    ] = 0,
    record: Annotated[
        bool, typer.Option("--record", help="Also into this installation's database, for pages, lists and search.")
    ] = False,
    reading: Reading = None,
    as_json: Json = False,
) -> None:
    """Judge an archive with a bundle, beside the service: one row of Parquet for each capture.

    Verdicts are those the service would state, and no alert is raised. A killed backfill goes on where it stopped when
    the same command is given again. Files that cannot be read have a row with their error. With --record files come
    into the spool and inspections into the database, each once, beside a running service, whose control charts do not
    see them. To judge again what the service has recorded, see 'waferwatch reinspect'.

    Example: waferwatch backfill s3://archive/2025 --bundle champion --out results/2025 --workers 8
    """
    from models.manifest import read_manifest
    from pipelines.ingestion import ReadOptions
    from services.backfill import backfill as run
    from services.backfill import make_plan
    from services.backfill.judging import refused

    folder = bundle_folder(bundle)
    records = _prepared(folder) if record else None
    storage = dict(ReadOptions.load(reading).storage) if reading else {}
    digest = read_manifest(folder).ref.digest
    plan = make_plan(source, folder, out, digest=digest, reading=reading, storage=storage, records=records)
    with progress_bar(f"judging {len(plan.files)} files, shard") as move:
        judged = run(plan, workers, move)
    bad = list(refused(plan))
    if as_json:
        print_json({"files": len(plan.files), "shards": judged, "out": plan.out, "refused": dict(bad)})
        return
    terminal.print(f"{len(plan.files)} files, results in {out}; {len(bad)} could not be read")
    for _, error in bad[:MOST_SHOWN]:
        terminal.print(f"  {error}", markup=False)


def _prepared(bundle: Path) -> Settings:
    """This installation, with tables and with the bundle, so that pages can say why a verdict is what it is."""
    from services.cli.installation import opened
    from services.serving.bundle_store import BundleStore

    settings = Settings.load()
    with opened(settings):
        BundleStore(settings.bundle_dir).install(bundle)
    return settings
