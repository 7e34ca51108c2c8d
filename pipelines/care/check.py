"""`review`: a dataset looked at before anything is learned from it.

leak       the test split can be answered from the training split: repeated contents, near repeats, a lot on two sides
warning    a figure will mean less than it seems: contradicting labels, classes in too few lots, splits far apart
remark     good to know: what the import left out
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pipelines.care.likeness import Floats, Pair, embed, near_pairs
from pipelines.care.shift import label_shift, telling_apart
from pipelines.dataset.manifest import DatasetManifest
from pipelines.dataset.patches import PatchSet
from pipelines.dataset.split import SPLITS
from pipelines.evaluation.floor import Floor

LEAST_GROUPS = 3
"""Lots a class needs: one to learn from, one to choose by, one to be measured on."""
NEAR_REPEATS = 0.01
"""Share of a split that may have a near repeat in the training split: beyond it, they move the figure."""
FAR_APART = 0.75
"""Area under the ROC curve from which a linear rule tells two splits apart well enough to worry about."""
OTHER_CLASSES = 0.1
"""Total variation distance of class shares from which splits count as differently mixed."""
_SHOWN = 5


class Kind(StrEnum):
    """How bad it is."""

    LEAK = "leak"
    WARNING = "warning"
    REMARK = "remark"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a person should know.

    Attributes:
        kind: leak, warning or remark.
        what: in words, with its numbers.
        examples: a few samples, by content hash, or names of lots or classes.
    """

    kind: Kind
    what: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """What was found.

    Attributes:
        dataset: name.
        fingerprint: of the dataset.
        grouped_by: what a group is.
        findings: the worst first.
        groups: class -> split -> number of its groups.
        floor: rules without eyes on the test split.
        near: split -> pairs of (row of the training split, row of that split) that are nearly the same.
    """

    dataset: str
    fingerprint: str
    grouped_by: str
    findings: tuple[Finding, ...]
    groups: Mapping[str, Mapping[str, int]]
    floor: tuple[Floor, ...]
    near: Mapping[str, tuple[Pair, ...]]

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """The findings that make a figure worthless."""
        return tuple(finding for finding in self.findings if finding.kind is Kind.LEAK)


def review(
    patches: PatchSet, manifest: DatasetManifest, floor: tuple[Floor, ...] = (), vectors: Floats | None = None
) -> Review:
    """Look at all splits of a dataset.

    Args:
        patches: of all splits.
        manifest: of the dataset.
        floor: what rules without eyes score on the test split.
        vectors: embeddings (N, D) of length 1, such as a trained network's; None = low frequencies of the pixels.
    """
    vectors = embed(patches.pixels) if vectors is None else vectors
    near = {split: tuple(_near(patches, vectors, split)) for split in SPLITS[1:]}
    groups = groups_of_classes(patches, manifest.labels.normal or "nothing")
    findings = [
        *_repeats(patches),
        *_shared_groups(patches, manifest.grouped_by),
        *_near_repeats(patches, near),
        *_contradictions(patches, near),
        *_few_groups(groups, manifest.grouped_by),
        *_shifts(patches, manifest, vectors),
        *_remarks(manifest),
    ]
    findings.sort(key=lambda finding: list(Kind).index(finding.kind))
    return Review(manifest.name, manifest.fingerprint, manifest.grouped_by, tuple(findings), groups, tuple(floor), near)


def groups_of_classes(patches: PatchSet, nothing: str) -> dict[str, dict[str, int]]:
    """Class -> split -> groups that hold it."""
    names = [*patches.labels.names, *([] if patches.labels.exclusive else [nothing])]
    known = patches.only(patches.known)
    return {
        name: {
            split: len(np.unique(known.groups[(known.strata[:, k] > 0) & (known.splits == split)])) for split in SPLITS
        }
        for k, name in enumerate(names)
    }


def _repeats(patches: PatchSet) -> Iterator[Finding]:
    sides: dict[str, set[str]] = defaultdict(set)
    for identity, split in zip(patches.ids, patches.splits, strict=True):
        sides[str(identity)].add(str(split))
    shared = sorted(identity for identity, found in sides.items() if len(found) > 1)
    if shared:
        yield Finding(Kind.LEAK, f"{len(shared):,} contents lie in more than one split", _some(shared))


def _shared_groups(patches: PatchSet, grouped_by: str) -> Iterator[Finding]:
    if grouped_by == "sample":
        words = "no lots or frames are known: samples were split at random, and figures flatter"
        yield Finding(Kind.WARNING, words)
        return
    known = patches.only(patches.known)
    for one, other in combinations(SPLITS, 2):
        shared = np.intersect1d(known.groups[known.splits == one], known.groups[known.splits == other])
        if len(shared):
            words = f"{len(shared):,} groups lie in {one} and in {other}"
            yield Finding(Kind.LEAK, words, _some(list(map(str, shared))))


def _near(patches: PatchSet, vectors: Floats, split: str) -> list[Pair]:
    """Near repeats between the training split and another; (row of training, row of the other)."""
    train, other = (np.flatnonzero(patches.splits == name) for name in ("train", split))
    pairs = near_pairs(patches.pixels[other], patches.pixels[train], (vectors[other], vectors[train]))
    return [
        Pair(int(train[pair.other]), int(other[pair.one]), pair.correlation)
        for pair in pairs
        if patches.ids[train[pair.other]] != patches.ids[other[pair.one]]
    ]


def _near_repeats(patches: PatchSet, near: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    for split, pairs in near.items():
        total = int((patches.splits == split).sum())
        if pairs:
            kind = Kind.LEAK if len(pairs) > NEAR_REPEATS * total else Kind.WARNING
            share = f"{len(pairs):,} of {total:,} patches ({len(pairs) / total:.1%})"
            words = f"{share} of {split} have a near repeat in train, from pixel to pixel"
            yield Finding(kind, words, _some([_both(patches, pair) for pair in pairs]))


def _contradictions(patches: PatchSet, near: Mapping[str, Sequence[Pair]]) -> Iterator[Finding]:
    labels: dict[str, set[bytes]] = defaultdict(set)
    for identity, target in zip(patches.ids, patches.targets, strict=True):
        labels[str(identity)].add(target.tobytes())
    torn = sorted(identity for identity, found in labels.items() if len(found) > 1)
    if torn:
        yield Finding(Kind.WARNING, f"{len(torn):,} contents carry contradicting labels", _some(torn))
    pairs = [pair for found in near.values() for pair in found]
    apart = [pair for pair in pairs if (patches.targets[pair.one] != patches.targets[pair.other]).any()]
    if apart:
        words = f"{len(apart):,} near repeats carry contradicting labels"
        yield Finding(Kind.WARNING, words, _some([_both(patches, pair) for pair in apart]))


def _few_groups(groups: Mapping[str, Mapping[str, int]], grouped_by: str) -> Iterator[Finding]:
    for name, counted in groups.items():
        absent = [split for split, count in counted.items() if not count]
        if absent:
            yield Finding(Kind.WARNING, f"class {name} is absent from {' and '.join(absent)}", (name,))
        elif sum(counted.values()) < LEAST_GROUPS or counted["test"] < LEAST_GROUPS:
            words = f"class {name} has {counted['test']} test {grouped_by}s: its figure is mostly luck"
            yield Finding(Kind.WARNING, words, (name,))


def _shifts(patches: PatchSet, manifest: DatasetManifest, vectors: Floats) -> Iterator[Finding]:
    for split in SPLITS[1:]:
        if not manifest.counts.get(split):
            continue
        known = {name: count for name, count in manifest.counts[split].items() if name not in manifest.unknown}
        distance = label_shift(manifest.counts["train"], known)
        one, other = ((patches.splits == name) & patches.known for name in ("train", split))
        area = telling_apart(vectors[one], vectors[other], (patches.groups[one], patches.groups[other]))
        far = distance > OTHER_CLASSES or area > FAR_APART
        yield Finding(
            Kind.WARNING if far else Kind.REMARK,
            f"{split} against train: class shares differ by {distance:.2f}; a linear rule tells patches apart with "
            f"area {area:.2f} under its ROC curve (0.5 = alike)",
        )


def _remarks(manifest: DatasetManifest) -> Iterator[Finding]:
    found = manifest.findings
    if found.duplicates:
        yield Finding(Kind.REMARK, f"{found.duplicates:,} exact repeats were left out by the import")
    if found.conflicts:
        words = f"{len(found.conflicts):,} contents with contradicting labels were left out by the import"
        yield Finding(Kind.REMARK, words, _some(found.conflicts))
    for note in found.notes:
        yield Finding(Kind.REMARK, note)


def _both(patches: PatchSet, pair: Pair) -> str:
    def short(row: int) -> str:
        named = "+".join(name for name, flag in zip(patches.labels.names, patches.targets[row], strict=True) if flag)
        return f"{patches.ids[row][:8]} ({named or 'nothing'}, {patches.splits[row]})"

    return f"{short(pair.one)} ~ {short(pair.other)}"


def _some(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(names[:_SHOWN])


def near_rows(found: Review, split: str, most: int) -> NDArray[np.int64]:
    """Rows (n, 2) of the likest pairs of a split, for a picture."""
    pairs = sorted(found.near.get(split, ()), key=lambda pair: -pair.correlation)[:most]
    return np.array([(pair.one, pair.other) for pair in pairs], np.int64).reshape(-1, 2)
