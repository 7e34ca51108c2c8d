"""A released model for the demo: simulate, import, train, release; done once, each step only if it is not there yet."""

from pathlib import Path

from pipelines import recipes
from services.cli.show import progress_bar, terminal
from services.settings import Settings

TRAINING_WAFERS = 120
"""Of each pattern: 120 × 13 wafers are made, imported and trained on in about three minutes on two cores."""
TRAINING_DEFECTS = (300, 10_000)
TRAINING_SEED = 1
"""The wafers fed later have other seeds, so none of them was seen in training."""


def prepare(folder: Path, settings: Settings) -> None:
    """Make sure that the registry's alias points to a bundle trained on simulated wafers.

    Args:
        folder: of the demo; gets `wafers/`, `dataset/` and `bundle/`.
        settings: where the registry is.
    """
    if (folder / "released").exists():
        terminal.print("model: the one trained before")
        return
    _simulate(folder / "wafers")
    _import(folder / "wafers", folder / "dataset")
    _train(folder / "dataset", folder / "bundle", settings)
    from pipelines.release import release  # noqa: PLC0415 - imports MLflow, which a second run does not need

    released = release(folder / "bundle", settings.mlflow_uri, alias=settings.bundle, name=settings.model_name)
    (folder / "released").write_text(f"{released.name} {released.version}\n", encoding="utf-8")
    terminal.print(f"model: {released.name} version {released.version} released as '{settings.bundle}'")


def _simulate(wafers: Path) -> None:
    from pipelines.simulate import simulate  # noqa: PLC0415
    from pipelines.simulate.truth import TRUTH_FILE  # noqa: PLC0415

    if (wafers / TRUTH_FILE).exists():
        return
    with progress_bar("simulating wafers") as move:
        simulate(wafers, TRAINING_WAFERS, seed=TRAINING_SEED, defects=TRAINING_DEFECTS, on_wafer=move)


def _import(wafers: Path, dataset: Path) -> None:
    from pipelines.dataset.import_ import ImportOptions, import_dataset  # noqa: PLC0415

    if not (dataset / "dataset.json").exists():
        with terminal.status("importing the wafers as a dataset, split by lot"):
            import_dataset("klarf", wafers, dataset, ImportOptions(name="simulated"))


def _train(dataset: Path, bundle: Path, settings: Settings) -> None:
    from models.recipe import Recipe  # noqa: PLC0415
    from pipelines.training import train  # noqa: PLC0415

    if not (bundle / "bundle.json").exists():
        recipe = Recipe.load(Path(recipes.__path__[0]) / "demo.yaml")
        train(recipe, dataset, bundle, tracking_uri=settings.mlflow_uri)
