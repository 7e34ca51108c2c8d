"""Verbs for trying it out: `simulate` makes wafers with known patterns, `demo` shows the whole service on them."""

from pathlib import Path
from typing import Annotated

import typer

from models.domain.errors import ConfigurationError
from services.cli.show import Json, print_json, progress_bar, terminal


def add_demonstrations(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command()(simulate)
    app.command()(demo)


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to make; gets the KLARF files and truth.csv.")],
    wafers: Annotated[int, typer.Option(help="Wafers of each pattern.", min=1)] = 20,
    pattern: Annotated[
        list[str] | None, typer.Option(help="A pattern, repeatable; 'all', 'known' (default) or 'unknown'.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other wafers.")] = 0,
    least: Annotated[int, typer.Option(help="Fewest defects on a wafer.", min=1)] = 10,
    most: Annotated[int, typer.Option(help="Most defects on a wafer; numbers between are log-uniform.")] = 100_000,
    version: Annotated[str, typer.Option(help="KLARF dialect: 1.2 or 1.8.")] = "1.2",
    per_lot: Annotated[bool, typer.Option("--per-lot", help="One file with all wafers of a lot.")] = False,
    gallery: Annotated[Path | None, typer.Option(help="Also draw one wafer of each pattern to this PNG.")] = None,
    as_json: Json = False,
) -> None:
    """Simulate wafers with known patterns as KLARF files.

    Example: waferwatch simulate /tmp/wafers --wafers 5 --pattern Ring --pattern Donut --seed 1
    """
    from pipelines.simulate import PATTERNS, UNKNOWN_PATTERNS
    from pipelines.simulate import simulate as run
    from pipelines.simulate.gallery import draw_gallery

    named = {"all": PATTERNS + UNKNOWN_PATTERNS, "known": PATTERNS, "unknown": UNKNOWN_PATTERNS}
    patterns = tuple(name for word in pattern or ["known"] for name in named.get(word, (word,)))
    if version not in ("1.2", "1.8"):
        raise ConfigurationError("unknown dialect", where="--version", expected="1.2 | 1.8", got=version)
    with progress_bar("simulating") as move:
        truth = run(
            out,
            wafers,
            patterns=patterns,
            seed=seed,
            defects=(least, most),
            version="1.8" if version == "1.8" else "1.2",
            file_per_lot=per_lot,
            on_wafer=move,
        )
    if gallery is not None:
        draw_gallery(gallery, patterns=patterns, seed=seed)
        terminal.print(f"gallery: {gallery}")
    if as_json:
        print_json({"folder": out, "files": len(truth.files), "wafers": truth.wafers})
    else:
        terminal.print(f"{len(truth.wafers)} wafers in {len(truth.files)} files in {out}; the truth is in truth.csv")


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps everything; delete it to start over.")] = Path(
        ".demo"
    ),
    port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8080,
    leave: Annotated[
        bool, typer.Option("--exit", help="End when all verdicts are in; status 0 only if they are right.")
    ] = False,
) -> None:
    """Show the whole service on simulated wafers, from training to the dashboard.

    Simulates, trains, releases, starts every part on this machine, feeds wafers through the watch folder (unknown
    patterns, a broken file and a multi-wafer file among them), prints truth and verdicts, and stays up until Ctrl-C.
    """
    from services.demo import run_demo

    if not run_demo(folder.absolute(), port, leave=leave):
        raise typer.Exit(1)
