"""From a trained network to a bundle's promises: temperature, thresholds, novelty score, reference examples.

Everything is measured on validation lots, through the same views, merging and precision as serving. The lots are
halved: on one half several novelty scores are put on a common scale, on the other the thresholds are set, and how often
the first half would then be refused is reported as the realised rate. A score that needs no network is fitted again
without each part of the training lots, which then set the thresholds too: several times as many lots. Lots differ, so a
promise of 2 % is kept on average and not in every lot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn import functional

from models import conformal, open_set
from models.bundle import Bundle, BundleManifest, Thresholds
from models.classifier import Classifier
from models.cutoff import CutoffChoice, choose_cutoff
from models.domain.inspection import BundleRef
from models.effect import thresholds_for
from models.network import Network, weights_of
from models.open_set import Head, Known
from models.reference import Calibration, Population, Reference, Yardstick
from models.views import Belief, believe, calibrated, see
from pipelines.dataset.patches import PatchSet
from pipelines.dataset.split import assign_groups
from pipelines.training.contrast import TrainingTraits, contrast_of, cross_fitted, traits_of
from pipelines.training.loop import Job

POPULATION = 2000
"""Held-out windows kept to tell drift by: 200 of each of ten classes."""
PICTURE_SIDE = 32
"""Pixels across the pictures of the reference examples: enough for a person to see the pattern, about 2 kB each."""
LEAST_SURE = 0.5
"""A label less likely than not is never worth refusing more for: the confidence threshold stays below this."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A bundle in memory and what its calibration showed.

    Attributes:
        bundle: manifest, weights and reference; files and digest come with saving.
        figures: by name: temperature, promised and realised refusals; of adaptive views how many are taken, and the
            gain in accuracy over one view, theirs and that of all views (validation lots, on which they were chosen).
    """

    bundle: Bundle
    figures: Mapping[str, float]


def calibrate(job: Job, network: Network, fingerprint: str, traits: TrainingTraits | None = None) -> Calibrated:
    """Make a bundle of a trained network.

    Args:
        job: the training it is from; some training patches of each class become the reference.
        network: with its final weights.
        fingerprint: of the dataset.
        traits: for the score of traits, if the recipe asks for it.
    """
    recipe, train, valid = job.recipe, job.train, job.valid
    probe = _probe(job, network, fingerprint)
    choice = _view_choice(probe, valid) if recipe.adaptive_views and valid.labels.exclusive else None
    cutoff = None if choice is None else choice.cutoff
    probe.looking = replace(probe.looking, cutoff=cutoff)
    held_out = observe(probe, valid)
    temperature = fit_temperature(held_out.probabilities, torch.from_numpy(valid.targets), valid.labels.exclusive)
    probabilities = calibrated(held_out.probabilities, temperature, exclusive=valid.labels.exclusive).numpy()
    examples = train.only(reference_rows(train, recipe.open_set.reference_per_class, recipe.training.seed))
    seen = observe(probe, examples)
    for_scale, for_threshold = _halves(valid, recipe.training.seed)
    head = Head(network.head.weight.detach().cpu(), network.head.bias.detach().cpu())
    known = _known(held_out, valid, None if traits is None else traits_of(valid.pixels))
    crossed = None
    # Many small matrix products: threads cost more than they bring, and ten times as much on a busy machine.
    with threadpool_limits(1):
        fitted_on, scaled_on = _known(seen, examples), _rows(known, for_scale)
        contrast = None if traits is None else contrast_of(train, traits, recipe.training.seed)
        score = open_set.fit(recipe.open_set, fitted_on, scaled_on, head, recipe.training.seed, contrast=contrast)
        if traits is not None and recipe.open_set.scores == ("traits",):
            crossed = cross_fitted(train, traits, recipe.training.seed)
    novelty = score.score(known.seen).numpy().astype(np.float32)
    judged = HeldOut(valid, probabilities, novelty)
    half = judged.only(for_threshold)
    # a single score needs no scale, so all validation lots may set its thresholds
    left = judged if len(recipe.open_set.scores) == 1 else half
    manifest = replace(probe.manifest, recipe=recipe, temperature=temperature, view_cutoff=cutoff)
    on_half = choose_thresholds(manifest, half, _yardstick(half, train, crossed))
    yardstick = _yardstick(left, train, crossed)
    thresholds = choose_thresholds(manifest, left, yardstick)
    reference = Reference(
        embeddings=seen.embeddings.numpy(),
        labels=examples.index if examples.labels.exclusive else np.full(len(examples), -1, np.int64),
        groups=tuple(map(str, examples.groups)),
        ids=tuple(map(str, examples.ids)),
        novelty=open_set.arrays_of(score),
        calibration=left.calibration,
        yardstick=yardstick,
        pictures=pictures_of(examples.pixels),
        population=_population(held_out.embeddings, probabilities, recipe.training.seed),
    )
    figures = {
        "temperature": temperature,
        "refusal.promised": recipe.open_set.budget,
        "refusal.realised": float(judged.only(for_scale).refused(on_half).mean()),
        "refusal.worst_lot": judged.only(for_scale).worst_lot(on_half),
    }
    if choice is not None:
        figures |= {
            "views.taken": choice.views,
            "views.gain_of_all": choice.accuracy_all - choice.accuracy_one,
            "views.gain": choice.accuracy - choice.accuracy_one,
        }
    return Calibrated(Bundle(replace(manifest, thresholds=thresholds), weights_of(network), reference), figures)


def _population(embeddings: Tensor, probabilities: NDArray[np.float32], seed: int) -> Population:
    """Some of the held-out patches: enough to compare each class with, few enough to travel."""
    rows = np.random.default_rng(seed).permutation(len(embeddings))[:POPULATION]
    return Population(embeddings.numpy()[rows], probabilities[rows].argmax(1).astype(np.int64))


def _probe(job: Job, network: Network, fingerprint: str) -> Classifier:
    """The classifier that will serve, but for a novelty score that needs no fitting: same views, same precision."""
    recipe = job.recipe
    unfitted = recipe.model_copy(update={"open_set": recipe.open_set.model_copy(update={"scores": ("max_logit",)})})
    manifest = BundleManifest(
        ref=BundleRef(recipe.name, "0", ""),
        recipe=unfitted,
        labels=job.train.labels,
        temperature=1.0,
        thresholds=Thresholds(0.0, float("inf")),
        data_fingerprint=fingerprint,
        view_cutoff=None,
    )
    dimensions = network.head.in_features
    nothing = Reference(np.empty((0, dimensions), np.float32), np.empty(0, np.int64), (), ())
    return Classifier(Bundle(manifest, weights_of(network), nothing), job.device)


def observe(probe: Classifier, patches: PatchSet) -> Belief:
    """Beliefs about all patches, not yet calibrated; on the CPU."""
    parts = []
    for begin in range(0, len(patches), probe.batch):
        pixels = torch.from_numpy(np.array(patches.pixels[begin : begin + probe.batch])).to(probe.device)
        with torch.inference_mode(), probe.precision():
            parts.append(believe(probe.network, probe.preprocessing(pixels), probe.looking))
    return Belief(
        *(
            torch.cat([getattr(part, name).cpu() for part in parts])
            for name in ("logits", "probabilities", "embeddings", "views")
        )
    )


def _view_choice(probe: Classifier, valid: PatchSet) -> CutoffChoice:
    """Where adaptive views may stop, so that nearly all of the gain of all views is kept, and what that costs."""
    views = []
    for view in probe.looking.views:
        logits = []
        for begin in range(0, len(valid), probe.batch):
            pixels = torch.from_numpy(np.array(valid.pixels[begin : begin + probe.batch])).to(probe.device)
            with torch.inference_mode(), probe.precision():
                logits.append(probe.network(see(probe.preprocessing(pixels), view)).logits.float().cpu())
        views.append(torch.cat(logits))
    return choose_cutoff(torch.stack(views), torch.from_numpy(valid.index), probe.looking.merge)


def fit_temperature(probabilities: Tensor, targets: Tensor, exclusive: bool) -> float:
    """The temperature with the lowest loss on held-out patches (Guo et al., ICML 2017); within 0.05..20.

    Args:
        probabilities: (N, K), merged, not calibrated.
        targets: (N, K), 1 where the patch has the class.
        exclusive: softmax or sigmoid.
    """
    targets = targets.double()
    probabilities = probabilities.double()

    def loss(log_temperature: float) -> float:
        believed = calibrated(probabilities, float(np.exp(log_temperature)), exclusive=exclusive).clamp(1e-12, 1)
        if exclusive:
            return float(-(believed.log() * targets).sum(1).mean())
        return float(functional.binary_cross_entropy(believed, targets))

    edge = float(np.log(20))
    return float(np.exp(minimize_scalar(loss, bounds=(-edge, edge), method="bounded").x))


def reference_rows(train: PatchSet, per_class: int, seed: int) -> NDArray[np.int64]:
    """Some patches of every class, or of every combination of classes where several may meet."""
    _, combination = np.unique(train.targets, axis=0, return_inverse=True)
    return open_set.some_of_each(torch.from_numpy(combination.reshape(-1)), per_class, seed).numpy()


def pictures_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Patches uint8 (N, H, W, C), made small for people to look at: at most `PICTURE_SIDE` pixels across."""
    side = min(PICTURE_SIDE, pixels.shape[1])
    small = [
        functional.adaptive_avg_pool2d(torch.from_numpy(part).permute(0, 3, 1, 2).float(), side).round()
        for part in np.array_split(np.ascontiguousarray(pixels), max(1, len(pixels) // 1024))
    ]
    found: NDArray[np.uint8] = torch.cat(small).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return found


def choose_thresholds(manifest: BundleManifest, held_out: "HeldOut", yardstick: Yardstick) -> Thresholds:
    """Thresholds that refuse at most the promised share of known patches as novel, and as many as unsure.

    Args:
        manifest: whose recipe has the budget, and whether each class has its own threshold.
        held_out: judged patches of lots that were not trained on.
        yardstick: novelty of these and others.
    """
    budget = manifest.recipe.open_set.budget
    sure = sureness(held_out.probabilities, manifest.labels.exclusive)
    confidence = min(LEAST_SURE, float(np.quantile(sure.astype(np.float64), budget, method="lower")))
    return replace(thresholds_for(budget, manifest, yardstick), confidence=confidence)


def _yardstick(held_out: "HeldOut", train: PatchSet, crossed: NDArray[np.float32] | None) -> Yardstick:
    """The held-out patches, and those training patches whose novelty is known without their lots."""
    novelty, classes = held_out.novelty, held_out.probabilities.argmax(1)
    groups = held_out.patches.groups
    if crossed is not None:
        novelty, classes = np.concatenate([novelty, crossed]), np.concatenate([classes, train.index])
        groups = np.concatenate([groups, train.groups])
    weights = conformal.lot_weights(groups, classes).astype(np.float32)
    return Yardstick(novelty, classes.astype(np.int64), weights)


def sureness(probabilities: NDArray[np.float32], exclusive: bool) -> NDArray[np.float32]:
    """(N,), what `decide` compares with the confidence threshold."""
    if exclusive:
        likeliest: NDArray[np.float32] = probabilities.max(1)
        return likeliest
    least: NDArray[np.float32] = np.maximum(probabilities, 1 - probabilities).min(1)
    return least


def _halves(valid: PatchSet, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two halves of the lots; with a single lot both are the whole, which is better than no threshold at all."""
    half = assign_groups(valid.strata, list(valid.groups), (0.5, 0.5), seed)
    if len(np.unique(half)) < 2:
        everything = np.ones(len(valid), bool)
        return everything, everything
    return half == 0, half == 1


def _known(belief: Belief, patches: PatchSet, traits: Tensor | None = None) -> Known:
    labels = patches.index if patches.labels.exclusive else np.full(len(patches), -1, np.int64)
    return Known(belief.logits, belief.embeddings, torch.from_numpy(labels), traits)


def _rows(known: Known, chosen: NDArray[np.bool_]) -> Known:
    rows = torch.from_numpy(chosen)
    traits = None if known.traits is None else known.traits[rows]
    return Known(known.logits[rows], known.embeddings[rows], known.labels[rows], traits)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Judged patches of known classes: probabilities (M, K) calibrated, novelty (M,)."""

    patches: PatchSet
    probabilities: NDArray[np.float32]
    novelty: NDArray[np.float32]

    def only(self, rows: NDArray[np.bool_]) -> "HeldOut":
        """Some of them."""
        return HeldOut(self.patches.only(rows), self.probabilities[rows], self.novelty[rows])

    def refused(self, thresholds: Thresholds) -> NDArray[np.bool_]:
        """(M,), True where the patch would be refused as novel or unsure."""
        names = self.patches.labels.names
        limits = np.array([thresholds.novelty_for(names[k]) for k in self.probabilities.argmax(1)])
        unsure = sureness(self.probabilities, self.patches.labels.exclusive) < thresholds.confidence
        refused: NDArray[np.bool_] = (self.novelty > limits) | unsure
        return refused

    def worst_lot(self, thresholds: Thresholds, least: int = 20) -> float:
        """Highest share refused in any lot of at least `least` patches; 0 if there is none."""
        _, lot = np.unique(self.patches.groups, return_inverse=True)
        size = np.bincount(lot)
        rate = np.bincount(lot, self.refused(thresholds)) / size
        return float(rate[size >= least].max(initial=0.0))

    @property
    def calibration(self) -> Calibration:
        """As the bundle keeps it, so that another threshold's effect can be previewed."""
        patches = self.patches
        return Calibration(
            truth=patches.index if patches.labels.exclusive else np.full(len(patches), -1, np.int64),
            predicted=self.probabilities.argmax(1).astype(np.int64),
            confidence=self.probabilities.max(1).astype(np.float32),
            novelty=self.novelty,
        )
