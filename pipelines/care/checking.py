"""`check_dataset`: a dataset folder drawn and reviewed."""

from pathlib import Path

from models.bundle import load_bundle
from models.classifier import Classifier
from pipelines.care.check import Review, review
from pipelines.dataset.loading import load_patches
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.dataset.patches import PatchSet
from pipelines.evaluation.floor import trivial_rules
from pipelines.evaluation.judging import embeddings_of


def check_dataset(
    directory: str | Path, *, tile: int, channels: int, bundle: str | Path | None = None
) -> tuple[Review, PatchSet]:
    """Review a dataset; also the patches, for pictures and for training.

    Args:
        directory: the dataset.
        tile: side of the patches, pixels; a bundle's own counts instead.
        channels: of the patches; likewise.
        bundle: compare by the embeddings of this one; None = by the low frequencies of the pixels.

    Raises:
        ConfigurationError: not a dataset, or its samples do not fit.
    """
    manifest, floor = read_dataset_manifest(directory), trivial_rules(directory, "test")
    if bundle is None:
        patches = load_patches(directory, tile=tile, channels=channels)
        return review(patches, manifest, floor), patches
    classifier = Classifier(load_bundle(bundle))
    recipe = classifier.manifest.recipe
    patches = load_patches(directory, tile=recipe.tiling.tile, channels=recipe.channels)
    return review(patches, manifest, floor, embeddings_of(classifier, patches.pixels)), patches
