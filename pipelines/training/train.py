"""`train`: a recipe and a dataset in, a bundle out, with its report beside it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from models.bundle import BundleManifest, load_bundle, save_bundle
from models.classifier import Classifier
from models.dense import require_dense
from models.domain.capture import CaptureKind
from models.domain.errors import ConfigurationError
from models.domain.inspection import BundleRef
from models.network import Network
from models.recipe import Recipe
from pipelines.care import Kind, Review, refuse_leaks
from pipelines.care.checking import check_dataset
from pipelines.care.showing import write_review
from pipelines.dataset.drawn import drawn_strangers
from pipelines.dataset.loading import load_patches
from pipelines.dataset.manifest import DatasetManifest, read_dataset_manifest
from pipelines.dataset.samples import DatasetKind
from pipelines.evaluation import strangers
from pipelines.evaluation.artefacts import write_artefacts
from pipelines.evaluation.card import markdown, sections
from pipelines.evaluation.evaluate import examine
from pipelines.evaluation.report import Report
from pipelines.evaluation.strangers import Told
from pipelines.training.augmentation import Augmenter
from pipelines.training.beginning import job_of, state_of
from pipelines.training.calibration import Calibrated, calibrate
from pipelines.training.contrast import TrainingTraits, leave_each_out, traits_of
from pipelines.training.diagnosis import curves_figure, diagnose, learned_macro_f1
from pipelines.training.gallery import gallery
from pipelines.training.loop import Fit, Job, Observer, fit
from pipelines.training.progress import TrainingProgress
from pipelines.training.ready_weights import ReadyWeights, load_ready_weights
from pipelines.training.state import Checkpointer, load_checkpoint
from pipelines.training.tracking import Tracker

REPORT = "report"
"""Folder beside the bundle's files: report, card and pictures, for people."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training.

    Attributes:
        directory: of the bundle.
        manifest: as written, with the figures of the test split.
        report: of the test split.
        diagnosis: what the learning curves say.
        run_id: in MLflow, if it was tracked.
        review: what is wrong with the data.
    """

    directory: Path
    manifest: BundleManifest
    report: Report
    diagnosis: str
    run_id: str | None
    review: Review

    @property
    def ref(self) -> BundleRef:
        """Which bundle this is."""
        return self.manifest.ref


def train(
    recipe: Recipe,
    data_dir: str | Path,
    out_dir: str | Path,
    tracking_uri: str | None = None,
    *,
    start: str | Path | None = None,
    workers: int = 1,
    progress: Observer | None = None,
    device: str | None = None,
    despite_leaks: bool = False,
) -> Trained:
    """Train, calibrate, measure and save. A killed run resumes when called again with the same arguments.

    Args:
        recipe: how.
        data_dir: the dataset; its training and validation splits are used, its test split is only measured on.
        out_dir: of the bundle; an older bundle there is replaced at the end.
        tracking_uri: of MLflow; None = no tracking.
        start: bundle's folder or file with weights to start from; `recipe.training.transfer` says how.
        workers: processes that share each batch, started by Ray Train; see `pipelines.training.together`.
        progress: told how it goes; None = a bar on the terminal.
        device: torch device; None = CUDA if there is one.
        despite_leaks: train although the test split can be answered from the training split; the card says so.

    Raises:
        ConfigurationError: recipe and dataset do not fit, the dataset leaks, the training diverged, or a checkpoint is
            of another run.
        RetryableError: MLflow does not answer at the start, or lost part of the run (the bundle is then saved).
    """
    directory = Path(out_dir)
    dataset = read_dataset_manifest(data_dir)
    _check(recipe, dataset)
    if progress is None:
        with TrainingProgress() as bar:
            return train(
                recipe,
                data_dir,
                out_dir,
                tracking_uri,
                start=start,
                workers=workers,
                progress=bar,
                device=device,
                despite_leaks=despite_leaks,
            )
    tracker = Tracker(tracking_uri, recipe, dataset) if tracking_uri else None
    observers: tuple[Observer, ...] = (progress,) if tracker is None else (progress, tracker)
    finished = False
    try:
        run = _Run(
            recipe=recipe,
            data_dir=Path(data_dir),
            dataset=dataset,
            directory=directory,
            device=torch.device(device or _best_device()),
            observers=observers,
            start=None if start is None else Path(start).absolute(),
            ready=None if start is None else load_ready_weights(start),
            workers=workers,
        )
        review = run.look(despite_leaks=despite_leaks)
        trained = run.run(review, tracker)
        finished = True
    finally:
        if tracker is not None:
            tracker.finish(failed=not finished)
    return trained


@dataclass(frozen=True, slots=True)
class _Run:
    recipe: Recipe
    data_dir: Path
    dataset: DatasetManifest
    directory: Path
    device: torch.device
    observers: Sequence[Observer]
    start: Path | None
    ready: ReadyWeights | None
    workers: int

    def look(self, *, despite_leaks: bool) -> Review:
        """Look for what is wrong with the data, all splits of them, and stop a run that leaks."""
        self._stage("looking at the data")
        tile, channels = self.recipe.tiling.tile, self.recipe.channels
        found, patches = check_dataset(self.data_dir, tile=tile, channels=channels)
        write_review(self.directory / REPORT, found, patches, self.dataset.kind)
        refuse_leaks(found, despite=despite_leaks)
        return found

    def run(self, review: Review, tracker: Tracker | None) -> Trained:
        self._stage("drawing patches")
        job = job_of(self.recipe, self.data_dir, self.device)
        network, found = self._fit(job)
        self._stage("calibrating")
        traits = self._traits(job)
        calibrated = calibrate(job, network, self.dataset.fingerprint, traits)
        learned = learned_macro_f1(job, network)
        diagnosis = str(diagnose(found.curves, self.recipe.training, learned))
        remarks = (
            *(() if self.ready is None else (f"Started from the weights of {self.ready.where}.",)),
            f"Learning curves: {diagnosis}",
            _drawn(job, found),
            _refusals(calibrated.figures),
            *_views(calibrated.figures, len(self.recipe.views)),
            *_troubles(review),
        )
        self._pictures(job, found)
        manifest, report = self._measure(calibrated, found, remarks, self._left_out(job, traits))
        if tracker is not None:
            tracker.figures({f"test.{name}": value for name, value in report.figures.items()})
            tracker.figures({f"calibration.{name}": value for name, value in calibrated.figures.items()})
            tracker.files(self.directory / REPORT, REPORT)
        self._checkpoint.unlink(missing_ok=True)
        return Trained(self.directory, manifest, report, diagnosis, tracker.run_id if tracker else None, review)

    def _fit(self, job: Job) -> tuple[Network, Fit]:
        self._stage("training" if self.workers == 1 else f"training with {self.workers} workers")
        self.directory.mkdir(parents=True, exist_ok=True)
        state = state_of(self.recipe, job.train.labels, self.ready)
        identity = run_identity(self.recipe, self.dataset.fingerprint, self.ready)
        if self.workers > 1:
            self._fit_together(identity)
        if self._checkpoint.exists():
            load_checkpoint(self._checkpoint, state, identity)
        if self.workers > 1:
            for record in state.curves:
                for observer in self.observers:
                    observer.on_epoch(record, state)
        found = fit(job, state, (*self.observers, Checkpointer(self._checkpoint, identity)))
        state.network.load_state_dict(found.weights)
        return state.network, found

    def _fit_together(self, identity: str) -> None:
        from pipelines.training.together import Plan, fit_together  # noqa: PLC0415 - Ray takes seconds to import

        plan = Plan(self.recipe, self.data_dir.absolute(), self._checkpoint.absolute(), identity, self.start)
        fit_together(plan, self.workers)

    def _traits(self, job: Job) -> TrainingTraits | None:
        """Traits of what is known and of drawn strangers, if the recipe's novelty score needs them."""
        recipe = self.recipe
        if "traits" not in recipe.open_set.scores:
            return None
        strange = drawn_strangers(
            self.data_dir, tile=recipe.tiling.tile, count=recipe.open_set.drawn, seed=recipe.training.seed
        )
        return TrainingTraits(traits_of(job.train.pixels), traits_of(strange))

    def _left_out(self, job: Job, traits: TrainingTraits | None) -> dict[str, Told]:
        """Every class as a stranger, where the score of traits can be fitted without it."""
        recipe = self.recipe
        if traits is None or not job.train.labels.exclusive:
            return {}
        self._stage("leaving classes out")
        test = load_patches(self.data_dir, tile=recipe.tiling.tile, channels=recipe.channels, splits=("test",))
        return leave_each_out(job.train, test, traits, recipe.training.seed)

    def _measure(
        self, calibrated: Calibrated, found: Fit, remarks: Sequence[str], left_out: Mapping[str, Told]
    ) -> tuple[BundleManifest, Report]:
        """Save the bundle, measure what was saved on the test split, and save it again with figures and card."""
        bundle = calibrated.bundle
        save_bundle(self.directory, bundle.manifest, bundle.weights, bundle.reference)
        self._stage("measuring")
        classifier = Classifier(load_bundle(self.directory), self.device)
        examination = examine(classifier, self.data_dir, "test")
        figures = {f"test.{name}": value for name, value in examination.report.figures.items()}
        figures |= {"valid.macro_f1": found.curves[found.best_epoch].score} | dict(calibrated.figures)
        made = strangers.tell_made_strangers(classifier, examination, self.recipe.training.seed)
        figures |= strangers.figures_of(left_out, made)
        manifest = replace(bundle.manifest, metrics=figures)
        more = strangers.strangers_section(left_out, made)
        card = sections(manifest, self.dataset, examination.report, remarks, more)
        manifest = save_bundle(self.directory, manifest, bundle.weights, bundle.reference, markdown(card))
        write_artefacts(self.directory / REPORT, examination, card)
        return manifest, examination.report

    def _pictures(self, job: Job, found: Fit) -> None:
        folder = self.directory / REPORT
        title = f"{self.recipe.name} on {self.dataset.name}"
        curves_figure(found.curves, title).savefig(folder / "curves.png", dpi=130)
        augmenter = Augmenter(self.recipe.training.augmentation, job.train.labels, job.kind)
        gallery(job.train, augmenter, self.recipe.training.seed).savefig(folder / "gallery.png", dpi=130)

    def _stage(self, name: str) -> None:
        for observer in self.observers:
            observer.on_stage(name)

    @property
    def _checkpoint(self) -> Path:
        return self.directory / "checkpoint.pt"


def run_identity(recipe: Recipe, fingerprint: str, ready: ReadyWeights | None = None) -> str:
    """Hash of all that determines a training: a checkpoint of another recipe or dataset must not be continued."""
    start = "" if ready is None else f" {ready.digest}"
    return hashlib.sha256(f"{recipe.model_dump_json()} {fingerprint}{start}".encode()).hexdigest()


def _refusals(figures: Mapping[str, float]) -> str:
    return (
        f"Refusals promised on known patches: {figures['refusal.promised']:.1%} as novel; realised on other "
        f"validation lots, novel or unsure: {figures['refusal.realised']:.1%}, in the worst lot "
        f"{figures['refusal.worst_lot']:.1%}."
    )


def _drawn(job: Job, found: Fit) -> str:
    """Effective class frequencies beside the true ones, for the card."""
    first, last = found.curves[0].drawn, found.curves[-1].drawn
    shares = (
        f"{name} {first[name]:.1%}, {last[name]:.1%} ({share:.1%})"
        for name, share in zip(job.train.stratum_names, job.train.strata.mean(0), strict=True)
    )
    return f"Drawn in the first and the last epoch (and how often in the training split): {'; '.join(shares)}."


def _troubles(review: Review) -> list[str]:
    """What the card says of the data, the worst first."""
    return [f"Data, {one.kind}: {one.what}." for one in review.findings if one.kind is not Kind.REMARK]


def _views(figures: Mapping[str, float], views: int) -> list[str]:
    if "views.taken" not in figures:
        return []
    return [
        f"Adaptive views take {figures['views.taken']:.2f} looks instead of {views} and gain "
        f"{figures['views.gain']:+.2%} of accuracy over one look, all views {figures['views.gain_of_all']:+.2%} "
        "(validation lots, on which the cut-off was chosen)."
    ]


def _best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _check(recipe: Recipe, dataset: DatasetManifest) -> None:
    """Refuse data the recipe is not for, and a network that cannot do what the recipe asks of it.

    Raises:
        ConfigurationError: wafers for an image recipe, or the other way round; dense inference with a network that
            looks beyond its windows.
    """
    require_dense(recipe)
    kind = CaptureKind.IMAGE if dataset.kind is DatasetKind.IMAGES else CaptureKind.WAFER
    if kind is not recipe.kind:
        raise ConfigurationError(
            "recipe does not fit the dataset",
            where=f"recipe {recipe.name}: kind",
            expected=kind.value,
            got=recipe.kind.value,
            remedy="choose the recipe for this kind of data",
        )
