"""Verbs `benchmark …`: public protocols, each with floor, baselines and our recipe on the same test patches."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.show import Json, print_json, print_table, terminal

if TYPE_CHECKING:
    from models.recipe import Recipe
    from pipelines.benchmark import Rounds
    from pipelines.dataset.import_ import Source

Out = Annotated[Path, typer.Option(help="Folder for the folds: data, bundles, answers. Run again, it goes on there.")]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", help="Recipe to train; by default the one shipped.")]
Baselines = Annotated[bool, typer.Option(help="Also run the baselines.")]
Folds = Annotated[int, typer.Option("--folds", help="Number of folds.", min=2)]
Only = Annotated[list[int] | None, typer.Option(help="A fold to run, from 0, repeatable; by default all.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads; by default all cores.")]
Seed = Annotated[int, typer.Option(help="Another seed, another division into folds.")]


def add_benchmarks(app: typer.Typer) -> None:
    """Register the verbs."""
    protocols = typer.Typer(
        no_args_is_help=True,
        help="Public protocols: each prints protocol, floor, baselines and ours, measured on the same test patches.\n\n"
        "A rule that sees no defect, and simple methods, answer beside the recipe: a figure without them says "
        "nothing. What was killed goes on where it stopped when the same command is given again.",
    )
    protocols.command("wm811k")(wm811k)
    protocols.command("wm811k-official")(official)
    protocols.command("mixedwm38")(mixedwm38)
    protocols.command("sealions")(sealions)
    protocols.command("counts")(counts)
    protocols.command("left-out")(left_out)
    protocols.command("folds")(folds)
    app.add_typer(protocols, name="benchmark")


def wm811k(
    wafers: Annotated[Path, typer.Argument(help="LSWMD.pkl, a Parquet table with lot_group, or a dataset folder.")],
    out: Out,
    recipe: RecipeFile = None,
    by: Annotated[str, typer.Option(help="lot, or grid: hold out whole die grids, a harder division.")] = "lot",
    k: Folds = 5,
    only: Only = None,
    seed: Seed = 0,
    baselines: Baselines = True,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """WM-811K, k-fold by lot: every wafer is tested once, by models that have seen nothing of its lot.

    Example: waferwatch benchmark wm811k wafers.parquet --out benchmarks/wm811k
    """
    from models.domain.errors import ConfigurationError
    from pipelines.benchmark import dataset_at, k_fold

    if by not in ("lot", "grid"):
        raise ConfigurationError("unknown division", where="--by", expected="lot | grid", got=by)
    data = dataset_at(wafers, _source(wafers), out)
    rounds = k_fold(data, out, k, only, by="grid" if by == "grid" else "group", seed=seed)
    _compete(rounds, _recipe(recipe, "wafer"), baselines=baselines, threads=threads, as_json=as_json)


def official(
    wafers: Annotated[Path, typer.Argument(help="LSWMD.pkl as published, or Parquet with official_test.")],
    out: Out,
    recipe: RecipeFile = None,
    baselines: Baselines = True,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """WM-811K, the split it was published with: train on 'Training', test on 'Test', other and strongly shifted lots.

    Look at it once, when everything is decided: whoever chooses by it has no test set left.
    """
    from pipelines.benchmark import published

    rounds = published(wafers, _source(wafers), out)
    _compete(rounds, _recipe(recipe, "wafer"), baselines=baselines, threads=threads, as_json=as_json)


def mixedwm38(
    wafers: Annotated[Path, typer.Argument(help="MixedWM38 as .npz or Parquet, or a dataset folder.")],
    out: Out,
    recipe: RecipeFile = None,
    seed: Seed = 0,
    baselines: Baselines = True,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """MixedWM38, a fifth is tested after exact duplicates are gone; 'exact' is the share with all patterns right."""
    from pipelines.benchmark import dataset_at, held_out_fifth

    rounds = held_out_fifth(dataset_at(wafers, "mixedwm38", out), out, seed=seed)
    _compete(rounds, _recipe(recipe, "mixed"), baselines=baselines, threads=threads, as_json=as_json)


def sealions(
    patches: Annotated[Path, typer.Argument(help="CSV with path, class, frame of labelled patches, or a dataset.")],
    out: Out,
    dots: Annotated[
        Path | None, typer.Option(help="CSV with frame, row, col, class: patches of whole frames come along.")
    ] = None,
    recipe: RecipeFile = None,
    k: Folds = 5,
    only: Only = None,
    seed: Seed = 0,
    baselines: Baselines = True,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Sea-lion patches, k-fold by frame: neighbouring patches overlap, so a split by patch would leak.

    All females and pups of the published patches are of one frame: without --dots nobody could learn them when it is
    tested.

    Example: waferwatch benchmark sealions patches.csv --dots points.csv --out benchmarks/sealions
    """
    from pipelines.benchmark import dataset_at, k_fold
    from pipelines.dataset.import_ import ImportOptions

    if dots is None:
        data = dataset_at(patches, "folders", out, ImportOptions(normal="backgrounds"))
    else:
        data = dataset_at(dots, "dots", out, ImportOptions(normal="backgrounds", patches=patches))
    rounds = k_fold(data, out, k, only, seed=seed)
    _compete(rounds, _recipe(recipe, "aerial"), baselines=baselines, threads=threads, as_json=as_json)


def counts(
    dots: Annotated[Path, typer.Argument(help="CSV with frame, row, col, class; frames beside it or in frames/.")],
    out: Out,
    recipe: RecipeFile = None,
    patches: Annotated[Path | None, typer.Option(help="CSV of further patches: path, class, frame.")] = None,
    normal: Annotated[str | None, typer.Option(help="What background is called in it.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A frame to leave out, repeatable; by default each.")] = None,
    rounds: Annotated[int, typer.Option(help="Of mining for hard negatives and training again.", min=0)] = 1,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Counts on frames left out of training: one pass, patch by patch, and the mean of the other frames as a floor.

    Example: waferwatch benchmark counts points.csv --patches patches.csv --normal backgrounds --out benchmarks/counts
    """
    from pipelines.benchmark.counts import CountStudy

    _use(threads)
    study = CountStudy(_recipe(recipe, "aerial"), dots, patches, normal, rounds)
    found = study.run(out, only, done=lambda one: terminal.print(f"{one.frame}: {sum(one.dense.values())} counted"))
    if as_json:
        print_json(found)
        return
    for one in found.frames:
        rows = [
            (name, one.truth.get(name, 0), one.dense.get(name, 0), one.patchwise.get(name, 0), one.mean[name])
            for name in found.classes
        ]
        total = ("all", *(sum(of.values()) for of in (one.truth, one.dense, one.patchwise, one.mean)))
        title = f"{one.frame}: {one.hits} of {sum(one.truth.values())} found, {one.right} with the right class"
        print_table(title, ("class", "dots", "counted", "patch by patch", "mean of the others"), [*rows, total])
    ways = ("dense", "patchwise", "mean")
    errors = [(name, *(found.error(way, name) for way in ways)) for name in found.classes]
    errors.append(("all", *(found.error(way) for way in ways)))
    print_table(f"mean absolute error; {found.protocol}", ("class", "counted", "patch by patch", "mean"), errors)


def folds(
    recipe: Annotated[Path, typer.Argument(help="Recipe to train anew for each fold.")],
    data: Annotated[Path, typer.Option(help="Dataset folder; its own split is not used.")],
    out: Out,
    k: Folds = 5,
    only: Only = None,
    seed: Seed = 0,
    baselines: Baselines = True,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Cross-validate a recipe on your own dataset, by whatever groups it has.

    Example: waferwatch benchmark folds pipelines/recipes/wafer.yaml --data data/ours --out benchmarks/ours
    """
    from pipelines.benchmark import k_fold

    rounds = k_fold(data, out, k, only, seed=seed)
    _compete(rounds, _recipe(recipe, ""), baselines=baselines, threads=threads, as_json=as_json)


def left_out(
    data: Annotated[Path, typer.Argument(help="Dataset folder.")],
    out: Out,
    recipe: RecipeFile = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="A class to leave out, repeatable; by default each in turn.")
    ] = None,
    seed: Seed = 0,
    threads: Threads = None,
    idea: Annotated[str | None, typer.Option(help="What is tried; logs the run to MLflow.")] = None,
    prediction: Annotated[str, typer.Option(help="What you expect of it, written down before.")] = "",
    tracking: Annotated[str | None, typer.Option(help="MLflow address; by default WAFERWATCH_MLFLOW_URI.")] = None,
    as_json: Json = False,
) -> None:
    """Leave one class out at a time: the model never learns it and should refuse to name it.

    A killed run goes on where it stopped when the same command is given again. With --idea the run is logged to MLflow
    beside what was predicted of it, so that a table of ideas and outcomes grows by itself.

    Example: waferwatch benchmark left-out data/wm811k --out benchmarks/left-out --class Donut
    """
    from pipelines.benchmark.left_out import leave_one_out, log_idea
    from services.settings import Settings

    _use(threads)
    chosen = _recipe(recipe, "wafer")
    found = leave_one_out(chosen, data, out, classes, seed=seed)
    if idea is not None:
        log_idea(found, chosen, idea, prediction, tracking or Settings.load().mlflow_uri)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            name, one.strangers, one.auroc, one.auroc_defects, one.aupr, one.fpr_at_95, one.oscr, one.refused,
            report.refused, report.forced_macro_f1,
        )
        for name, report in found.reports.items()
        if (one := report.open_set) is not None
    ]  # fmt: skip
    columns = (
        "left out", "strangers", "AUROC", "against defects", "AUPR", "FPR95", "OSCR", "refused", "known refused",
        "macro-F1 unrefused",
    )  # fmt: skip
    print_table(found.protocol, columns, rows)
    terminal.print("  ".join(f"{name} {value:.3f}" for name, value in found.figures.items()), highlight=False)


def _compete(rounds: "Rounds", recipe: "Recipe", *, baselines: bool, threads: int | None, as_json: bool) -> None:
    from pipelines.benchmark import Contestant, Trained, contest
    from pipelines.benchmark.baselines import usual_baselines
    from pipelines.benchmark.table import print_contest
    from pipelines.evaluation.answers import Answers

    _use(threads)
    ours = Trained(recipe)
    contestants: Sequence[Contestant] = (*(usual_baselines(ours) if baselines else ()), ours)
    terminal.print(f"{rounds.protocol}; {len(contestants)} contestants", highlight=False, markup=False)

    def tell(fold: str, name: str, answers: Answers) -> None:
        terminal.print(f"fold {fold}: {name}: macro-F1 {answers.scores().macro_f1.value:.3f}", highlight=False)

    found = contest(rounds, contestants, done=tell)
    if as_json:
        print_json(found)
    else:
        print_contest(found)


def _source(wafers: Path) -> "Source":
    return "wm811k" if wafers.suffix == ".pkl" else "wafers-parquet"


def _recipe(given: Path | None, shipped: str) -> "Recipe":
    from models.recipe import Recipe
    from pipelines import recipes

    return Recipe.load(given or Path(recipes.__path__[0]) / f"{shipped}.yaml")


def _use(threads: int | None) -> None:
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
