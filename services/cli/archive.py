"""The verb for archives: `backfill`."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.look import Reading, bundle_folder
from services.cli.show import Json, print_json, progress_bar, terminal

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
    reading: Reading = None,
    as_json: Json = False,
) -> None:
    """Judge an archive with a bundle, beside the service: one row of Parquet for each capture.

    Verdicts are those the service would state; nothing is recorded and no alert is raised. A killed backfill goes on
    where it stopped when the same command is given again. Files that cannot be read have a row with their error. To
    judge again what the service has recorded, see 'waferwatch reinspect'.

    Example: waferwatch backfill s3://archive/2025 --bundle champion --out results/2025 --workers 8
    """
    from models.manifest import read_manifest
    from pipelines.ingestion import ReadOptions
    from services.backfill import backfill as run
    from services.backfill import make_plan
    from services.backfill.judging import refused

    folder = bundle_folder(bundle)
    storage = dict(ReadOptions.load(reading).storage) if reading else {}
    plan = make_plan(source, folder, out, digest=read_manifest(folder).ref.digest, reading=reading, storage=storage)
    with progress_bar(f"judging {len(plan.files)} files, shard") as move:
        judged = run(plan, workers, move)
    bad = list(refused(plan))
    if as_json:
        print_json({"files": len(plan.files), "shards": judged, "out": plan.out, "refused": dict(bad)})
        return
    terminal.print(f"{len(plan.files)} files, results in {out}; {len(bad)} could not be read")
    for _, error in bad[:MOST_SHOWN]:
        terminal.print(f"  {error}", markup=False)
