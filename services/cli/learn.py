"""Verbs that make models: `dataset …`, `train`, `search`, `evaluate`, `release`, `model summary`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.show import Json, print_json, print_table, progress_bar, terminal

if TYPE_CHECKING:
    from pipelines.dataset.manifest import DatasetManifest

Bundle = Annotated[Path, typer.Argument(help="Folder of a bundle, as 'train' makes it.", exists=True, file_okay=False)]
Tracking = Annotated[str | None, typer.Option(help="MLflow address; by default WAFERWATCH_MLFLOW_URI.")]


def add_learning(app: typer.Typer) -> None:
    """Register the verbs."""
    dataset = typer.Typer(no_args_is_help=True, help="Labelled data: import them, split by lot.")
    dataset.command("import")(import_)
    dataset.command("from-labels")(from_labels)
    dataset.command("mine")(mine)
    dataset.command("check")(check)
    app.add_typer(dataset, name="dataset")
    model = typer.Typer(no_args_is_help=True, help="Networks: look inside.")
    model.command()(summary)
    app.add_typer(model, name="model")
    app.command()(train)
    app.command()(search)
    app.command()(evaluate)
    app.command()(release)
    app.command("roll-back")(roll_back)


def import_(
    source: Annotated[
        str, typer.Argument(help="wafers-parquet | wm811k | mixedwm38 | klarf | folders | dots", show_default=False)
    ],
    path: Annotated[Path, typer.Argument(help="The file or folder to read.")],
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = 0,
    unknown: Annotated[
        list[str] | None, typer.Option(help="A label never to be learned, repeatable; it measures the open set.")
    ] = None,
    normal: Annotated[
        str | None, typer.Option(help="Label that means 'nothing to act on', if the data do not say.")
    ] = None,
    tile: Annotated[int, typer.Option(help="Side of the patches cut around dots, pixels.")] = 96,
    patches: Annotated[
        Path | None, typer.Option(help="With dots: CSV of further patches (path, class, frame) that come along.")
    ] = None,
    single: Annotated[
        bool, typer.Option("--single", help="Of mixedwm38: learn single patterns, mixtures of several are unknown.")
    ] = False,
    by: Annotated[
        str, typer.Option(help="group: by lot or frame with class balance | time: the newest are tested | published.")
    ] = "group",
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite an existing dataset.")] = False,
    as_json: Json = False,
) -> None:
    """Make a dataset: read, drop exact duplicates, split by lot or frame with class balance.

    Sources: wafers-parquet (tables of die maps), wm811k (LSWMD.pkl), mixedwm38 (.npz or Parquet), klarf (a folder with
    truth.csv, as 'simulate' makes it), folders (images by class), dots (frames and a CSV of points).

    Example: waferwatch dataset import wafers-parquet wafers.parquet data/wm811k
    """
    from typing import cast, get_args

    from models.domain.errors import ConfigurationError
    from pipelines.dataset.dividing import By
    from pipelines.dataset.import_ import ImportOptions, Source, import_dataset

    if source not in get_args(Source):
        raise ConfigurationError("unknown source", expected=" | ".join(get_args(Source)), got=source)
    if by not in get_args(By):
        raise ConfigurationError("unknown split", where="--by", expected=" | ".join(get_args(By)), got=by)
    options = ImportOptions(
        normal=normal,
        unknown=tuple(unknown or ()),
        seed=seed,
        tile=tile,
        patches=patches,
        single=single,
        replace=replace,
        by=cast("By", by),
    )
    with terminal.status(f"importing {path}"):
        manifest = import_dataset(cast("Source", source), path, out, options)
    _show_dataset(manifest, as_json)


def mine(
    bundle: Bundle,
    dots: Annotated[Path, typer.Argument(help="CSV of dots that the dataset was made of.")],
    data: Annotated[Path, typer.Option(help="Dataset folder the bundle was trained on.")],
    out: Annotated[Path, typer.Option(help="Folder of the new dataset.")],
    per_frame: Annotated[int, typer.Option(help="Mistakes kept of each frame, the clearest ones.", min=1)] = 200,
    as_json: Json = False,
) -> None:
    """Add hard negatives: places where a bundle sees objects on its training frames that nobody marked.

    Train again on the result; twice is usually enough. Frames of the test split are never looked at.

    Example: waferwatch dataset mine aerial points.csv --data data/seals --out data/seals-mined
    """
    from pipelines.dataset.mining import mine as run

    with terminal.status("looking for mistakes"):
        manifest, found = run(bundle, dots, data, out, per_frame=per_frame)
    if as_json:
        print_json({"dataset": manifest, "frames": found})
    else:
        print_table("mistakes", ("frame", "found", "kept"), [(one.frame, one.mistakes, one.kept) for one in found])


def from_labels(
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    base: Annotated[Path | None, typer.Option(help="Older dataset that comes along, each lot on its side.")] = None,
    people: Annotated[int, typer.Option(help="How many must say the same of a capture.", min=1)] = 2,
    normal: Annotated[str | None, typer.Option(help="Label that means 'nothing to act on'.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another split of the new lots.")] = 0,
    as_json: Json = False,
) -> None:
    """Make a dataset of what people labelled on the pages, alone or merged with an older one; 'train' takes it.

    Only captures count of which enough people say the same. A dataset is never overwritten; its fingerprint names it.

    Example: waferwatch dataset from-labels data/second --base data/first
    """
    from models.domain.label import Agreement
    from pipelines.dataset.import_ import ImportOptions
    from pipelines.dataset.labelled import LabelledFile, dataset_of_labels
    from services.parts.shared import lay_foundation
    from services.records.opinions import labelled
    from services.settings import Settings

    foundation = lay_foundation(Settings.load())
    with foundation.database.read() as session:
        found = list(labelled(session, people))
    agreed = [
        LabelledFile(
            one.capture_id if one.part_of is None else one.part_of[0],
            foundation.settings.spool_dir / one.sha256,
            one.opinion.name,
            one.lot,
            one.capture_name,
            one.kind,
            None if one.part_of is None else one.part_of[1],
        )
        for one in found
        if one.opinion.agreement is Agreement.AGREED
    ]
    with terminal.status(f"reading {len(agreed)} labelled captures"):
        options = ImportOptions(name=out.name, normal=normal, seed=seed)
        manifest = dataset_of_labels(agreed, out, base=base, options=options)
    if len(agreed) < len(found):
        terminal.print(f"{len(found) - len(agreed)} captures left out: fewer than {people} people agree on them")
    _show_dataset(manifest, as_json)


def check(
    data: Annotated[Path, typer.Argument(help="Dataset folder.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Compare patches by this bundle's embeddings, and with its tile and channels.")
    ] = None,
    tile: Annotated[int, typer.Option(help="Side of the patches to compare, pixels.")] = 64,
    out: Annotated[Path | None, typer.Option(help="Folder for data.json and data.png.")] = None,
    as_json: Json = False,
) -> None:
    """Look for what makes a figure worthless before anything is trained; status 2 if the dataset leaks.

    Leaks: contents or near repeats in two splits, lots on two sides. Warnings: contradicting labels, classes in too few
    lots, splits far apart. And the floor: what a rule scores that never looks at a defect.

    Example: waferwatch dataset check data/wm811k --out review
    """
    from pipelines.care import refuse_leaks
    from pipelines.care.checking import check_dataset
    from pipelines.care.showing import print_review, write_review
    from pipelines.dataset.manifest import read_dataset_manifest
    from pipelines.dataset.samples import DatasetKind

    kind = read_dataset_manifest(data).kind
    with terminal.status(f"looking at {data}"):
        channels = 3 if kind is DatasetKind.IMAGES else 2
        found, patches = check_dataset(data, tile=tile, channels=channels, bundle=bundle)
    if out is not None:
        write_review(out, found, patches, kind)
    if as_json:
        print_json(found)
    else:
        print_review(found)
    refuse_leaks(found, despite=False)


def _show_dataset(manifest: "DatasetManifest", as_json: bool) -> None:
    if as_json:
        print_json(manifest)
        return
    names = sorted({label for counts in manifest.counts.values() for label in counts})
    rows = [(name, *(manifest.counts[split].get(name, 0) for split in manifest.counts)) for name in names]
    title = f"{manifest.name} {manifest.fingerprint[:12]}, split by {manifest.grouped_by}"
    print_table(title, ("class", *manifest.counts), rows)
    terminal.print(f"{manifest.findings.duplicates} exact duplicates dropped")
    for conflict in manifest.findings.conflicts[:5]:
        terminal.print(f"conflicting labels: {conflict}", markup=False)


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe, such as pipelines/recipes/wafer.yaml.")],
    data: Annotated[Path, typer.Option(help="Dataset folder, as 'dataset import' makes it.")],
    out: Annotated[Path, typer.Option(help="Folder of the bundle to make.")],
    tracking: Tracking = None,
    start: Annotated[
        Path | None, typer.Option(help="Bundle's folder or file with weights to start from (transfer learning).")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes or GPUs that share each batch, by Ray Train.", min=1)] = 1,
    threads: Annotated[int | None, typer.Option(help="CPU threads; by default all cores.")] = None,
    despite_leaks: Annotated[
        bool, typer.Option("--despite-leaks", help="Train although the test split can be answered from training data.")
    ] = False,
) -> None:
    """Train a model as a recipe says; the run is logged to MLflow, the bundle lands in OUT.

    The data are looked at first, as 'dataset check' does; a leaking run is stopped. A killed run goes on where it
    stopped when the same command is given again. OUT/report holds the report, the card and the pictures.

    --start takes the layers of a bundle, or of a file as torchvision writes them, further; the recipe's section
    training.transfer says which learn when. With --workers the machines of a Ray cluster (RAY_ADDRESS) train together;
    data and output must be at the same path on all of them.

    Example: waferwatch train pipelines/recipes/wafer.yaml --data data/wm811k --out bundles/wafer
    """
    import torch

    from models.recipe import Recipe
    from pipelines.care import Kind
    from pipelines.evaluation.table import print_report
    from pipelines.training import train as run

    if threads is not None:
        torch.set_num_threads(threads)
    result = run(
        Recipe.load(recipe),
        data,
        out,
        tracking_uri=_tracking(tracking),
        start=start,
        workers=workers,
        despite_leaks=despite_leaks,
    )
    print_report(result.report)
    for finding in result.review.findings:
        if finding.kind is not Kind.REMARK:
            terminal.print(f"data, {finding.kind}: {finding.what}", highlight=False, markup=False)
    terminal.print(f"learning curves: {result.diagnosis}", highlight=False, markup=False)
    terminal.print(f"bundle: {out}   digest {result.ref.digest[:12]}")


def search(
    recipe: Annotated[Path, typer.Argument(help="Recipe whose other values stay as they are.")],
    space: Annotated[Path, typer.Argument(help="What may change, such as pipelines/recipes/search/wafer.yaml.")],
    data: Annotated[Path, typer.Option(help="Dataset folder; its test split is not read.")],
    out: Annotated[Path, typer.Option(help="Folder of the study and of the best recipe.")],
    trials: Annotated[int, typer.Option(help="Trainings in all, those of an earlier call included.", min=1)] = 20,
    tracking: Tracking = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; by default all cores.")] = None,
    as_json: Json = False,
) -> None:
    """Search for better values of a recipe: many trainings, judged on validation lots, hopeless ones ended early.

    A killed search goes on where it stopped when the same command is given again. The best recipe lands in
    OUT/best.yaml; its score was chosen for, so it flatters: train it, and let the test split say.

    Example: waferwatch search pipelines/recipes/wafer.yaml pipelines/recipes/search/wafer.yaml --data data/wm811k
    --out search/wafer
    """
    import torch

    from models.recipe import Recipe
    from pipelines.training.progress import TrainingProgress
    from pipelines.training.search import search as run
    from pipelines.training.search_space import Space

    if threads is not None:
        torch.set_num_threads(threads)
    with TrainingProgress() as bar:
        found = run(
            Recipe.load(recipe),
            Space.load(space),
            data,
            out,
            trials,
            tracking_uri=_tracking(tracking),
            observers=(bar,),
        )
    if as_json:
        print_json(found.tried)
        return
    names = list(found.tried[0].values)
    rows = [(one.number, one.outcome, one.score, *(one.values.get(name) for name in names)) for one in found.tried]
    title = f"macro-F1 on validation lots, best {found.score:.3f}"
    print_table(title, ("training", "outcome", "score", *(name.rpartition(".")[2] for name in names)), rows)
    terminal.print(f"best recipe: {out / 'best.yaml'}")


def evaluate(
    bundle: Bundle,
    data: Annotated[Path, typer.Option(help="Dataset folder.")],
    split: Annotated[
        str | None, typer.Option(help="train | valid | test; default: test of the bundle's own data, else all.")
    ] = None,
    card: Annotated[Path | None, typer.Option(help="Also write the report as HTML.")] = None,
    as_json: Json = False,
) -> None:
    """Measure a bundle with the same classifier and the same decisions as the service.

    Prints macro-F1 and per-class recall with 95 % intervals over lots, the protocol, and the floor: what a rule that
    sees no defect gets.
    """
    from pipelines.evaluation import evaluate as run
    from pipelines.evaluation.card import write_html
    from pipelines.evaluation.table import print_report

    with progress_bar("judging patches") as move:
        report = run(bundle, data, split, progress=move)
    if card is not None:
        write_html(report, card)
    if as_json:
        print_json(report)
    else:
        print_report(report)


def release(
    bundle: Bundle,
    alias: Annotated[str, typer.Option(help="Alias that services follow.")] = "champion",
    name: Annotated[str | None, typer.Option(help="Registered model; by default WAFERWATCH_MODEL_NAME.")] = None,
    tracking: Tracking = None,
    force: Annotated[
        bool, typer.Option("--force", help="Release although the gate says no; the reason is logged.")
    ] = False,
    propose: Annotated[
        bool, typer.Option("--propose", help="Only register it as challenger; a person promotes it at /models.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="Its dataset: the present holder is measured on the same test split.")
    ] = None,
    false_alarms: Annotated[
        float, typer.Option(help="Share of normal patches that may be called defective.", min=0, max=1)
    ] = 0.01,
    as_json: Json = False,
) -> None:
    """Register a bundle in MLflow and put an alias on it; running services pick it up within seconds.

    The gate holds it against the budget of false alarms and against the present holder of the alias, and refuses a step
    back: it is then the 'challenger'. Its report, the bundle's own, the recipe and the dataset lie with the version.
    Figures compare only on the same data: where the new bundle was trained on a newer dataset, name it with --data.

    Example: waferwatch release bundle --propose --data data/second
    """
    from pipelines.evaluation import evaluate as measure
    from pipelines.release import release as run
    from services.settings import Settings

    def remeasured(folder: Path) -> dict[str, float]:
        with progress_bar("measuring the present one on the same data") as move:
            report = measure(folder, data or "", "test", progress=move)
        return {f"test.{key}": value for key, value in report.figures.items()}

    released = run(
        bundle,
        _tracking(tracking),
        alias=alias,
        name=name or Settings.load().model_name,
        force=force,
        propose=propose,
        remeasure=None if data is None else remeasured,
        false_alarms=false_alarms,
    )
    if as_json:
        print_json(released)
        return
    terminal.print(f"{released.name} version {released.version} is '{released.alias}'")
    if propose:
        terminal.print("the gate " + ("has nothing against it" if released.gate.passed else "is against it:"))
    for reason in released.gate.reasons:
        terminal.print(f"  {reason}", markup=False)


def roll_back(
    name: Annotated[str | None, typer.Option(help="Registered model; by default WAFERWATCH_MODEL_NAME.")] = None,
    alias: Annotated[str, typer.Option(help="Alias to give back.")] = "champion",
    tracking: Tracking = None,
    as_json: Json = False,
) -> None:
    """Give an alias back to the version that held it before; running services return to it within seconds.

    The two change places, so doing it twice changes nothing.
    """
    from pipelines.release import roll_back as run
    from services.settings import Settings

    name = name or Settings.load().model_name
    version = run(name, _tracking(tracking), alias)
    if as_json:
        print_json({"name": name, "version": version, "alias": alias})
    else:
        terminal.print(f"{name} version {version} is '{alias}' again")


def summary(
    recipe: Annotated[Path, typer.Argument(help="Recipe whose network to describe.")],
    classes: Annotated[int, typer.Option(help="Number of outputs.")] = 9,
    as_json: Json = False,
) -> None:
    """Print layers, output shapes, parameters, receptive field and FLOPs of a recipe's network."""
    from models.network import build_network
    from models.preprocessing import input_channels
    from models.recipe import Recipe
    from models.summary import summarise

    loaded = Recipe.load(recipe)
    channels = input_channels(loaded.preprocessing, loaded.channels)
    found = summarise(build_network(loaded, classes), channels, loaded.tiling.tile, loaded.tiling.tile)
    if as_json:
        print_json(found)
    else:
        typer.echo(str(found))


def _tracking(given: str | None) -> str:
    """The MLflow address: what was given, else the installation's; its folder is made for a SQLite file."""
    from services.settings import Settings

    settings = Settings.load()
    if given is None:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return given or settings.mlflow_uri
