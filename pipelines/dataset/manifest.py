"""What a dataset directory says of itself: `dataset.json`, for people and for the trainer, and its fingerprint."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from models.domain.errors import ConfigurationError
from models.domain.verdict import Labels
from pipelines.dataset.samples import DatasetKind

FORMAT = 1
"""Version of the directory's layout; raised when an older reader would misread it."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the import saw that a person should know before trusting a figure.

    Attributes:
        duplicates: samples left out because their content was there already with the same labels.
        conflicts: samples left out because the same content carries different labels; as `origin: labels` lines.
        few_groups: classes found in fewer groups than there are splits, so that some split lacks them.
        notes: further remarks of the source, such as samples without a known group.
    """

    duplicates: int = 0
    conflicts: tuple[str, ...] = ()
    few_groups: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """A dataset without its samples.

    Attributes:
        name: what people call it.
        kind: what the samples are.
        labels: classes in the order of a model's outputs.
        unknown: labels present in the test split only, never to be learned: they measure the open set.
        source: which importer read it, and from where.
        grouped_by: what a group is: lot, frame, file, or 'sample' if nothing groups them.
        counts: split -> label -> samples.
        groups: split -> number of groups.
        fingerprint: hash of content, labels, groups and split, hex.
        findings: what the import left out or noticed.
    """

    name: str
    kind: DatasetKind
    labels: Labels
    unknown: tuple[str, ...]
    source: str
    grouped_by: str
    counts: Mapping[str, Mapping[str, int]]
    groups: Mapping[str, int]
    fingerprint: str
    findings: Findings


def dataset_fingerprint(rows: Iterable[tuple[str, tuple[str, ...], str, str]]) -> str:
    """Hash of (id, labels, group, split) of all samples, hex.

    Rows are sorted first: the same samples in another order, or in another file encoding, are the same dataset.
    """
    digest = hashlib.sha256()
    for row in sorted(json.dumps((identity, sorted(labels), group, split)) for identity, labels, group, split in rows):
        digest.update(row.encode() + b"\n")
    return digest.hexdigest()


def write_dataset_manifest(directory: Path, manifest: DatasetManifest) -> None:
    """Write `dataset.json`."""
    text = json.dumps({"format": FORMAT, **asdict(manifest)}, indent=2, ensure_ascii=False)
    (directory / "dataset.json").write_text(text + "\n", encoding="utf-8")


def read_dataset_manifest(directory: str | Path) -> DatasetManifest:
    """Read `dataset.json`.

    Raises:
        ConfigurationError: it is not a dataset directory, or of another version.
    """
    path = Path(directory) / "dataset.json"
    remedy = "make one with `waferwatch dataset import`"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            "not a dataset", where=str(directory), expected="a folder with dataset.json", remedy=remedy
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigurationError("unreadable dataset.json", where=str(path), got=str(error), remedy=remedy) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        got = repr(found.get("format")) if isinstance(found, dict) else type(found).__name__
        raise ConfigurationError(
            "dataset of another version", where=str(path), expected=f"format {FORMAT}", got=got, remedy=remedy
        )
    try:
        labels = found["labels"]
        findings = found["findings"]
        return DatasetManifest(
            name=found["name"],
            kind=DatasetKind(found["kind"]),
            labels=Labels(tuple(labels["names"]), labels["normal"], labels["exclusive"]),
            unknown=tuple(found["unknown"]),
            source=found["source"],
            grouped_by=found["grouped_by"],
            counts=found["counts"],
            groups=found["groups"],
            fingerprint=found["fingerprint"],
            findings=Findings(
                duplicates=findings["duplicates"],
                conflicts=tuple(findings["conflicts"]),
                few_groups=tuple(findings["few_groups"]),
                notes=tuple(findings["notes"]),
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            "damaged dataset.json", where=str(path), got=f"{type(error).__name__}: {error}", remedy=remedy
        ) from error
