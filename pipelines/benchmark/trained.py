"""A recipe as a contestant: trained anew for each fold, through the product's own `train` and its own decisions."""

from dataclasses import dataclass, field
from pathlib import Path

from models.bundle import load_bundle
from models.classifier import Classifier
from models.domain.errors import ConfigurationError
from models.recipe import Recipe
from pipelines.benchmark.contest import Role
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.evaluation.answers import Answers
from pipelines.evaluation.evaluate import answers_of, examine
from pipelines.training.loop import Observer
from pipelines.training.train import train


@dataclass(frozen=True, slots=True)
class Trained:
    """Trains a bundle for each fold and lets it answer; a killed training resumes from its last epoch.

    Attributes:
        recipe: the same for all folds.
        role: ours, or the plain network among the baselines.
        progress: of each training; None = a bar on the terminal.
    """

    recipe: Recipe
    role: Role = Role.OURS
    progress: Observer | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The recipe's."""
        return f"recipe {self.recipe.name}"

    def bundle(self, data_dir: Path, work_dir: Path) -> Path:
        """The fold's bundle, trained if it is not there yet."""
        place = work_dir / f"bundle-{self.recipe.name}"
        if not self._is_there(place, data_dir):
            train(self.recipe, data_dir, place, progress=self.progress)
        return place

    def answer(self, data_dir: Path, work_dir: Path) -> Answers:
        """Train and answer."""
        classifier = Classifier(load_bundle(self.bundle(data_dir, work_dir)))
        examination = examine(classifier, data_dir, "test")
        return answers_of(examination.patches, examination.judged)

    def _is_there(self, place: Path, data_dir: Path) -> bool:
        try:
            manifest = load_bundle(place).manifest
        except ConfigurationError:
            return False
        fingerprint = read_dataset_manifest(data_dir).fingerprint
        return manifest.recipe == self.recipe and manifest.data_fingerprint == fingerprint and bool(manifest.metrics)
