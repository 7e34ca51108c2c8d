"""What people agreed on becomes a dataset, alone or merged with an older one; no split of the older one changes.

Lots the older dataset knows stay on their side, new ones are split among themselves. So a test split only grows, and no
wafer a model was trained on ever measures the next one.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from models.domain.capture import CaptureKind
from models.domain.errors import ConfigurationError, InputError
from models.domain.tiling import Window
from pipelines.dataset.import_ import ImportOptions, build_dataset
from pipelines.dataset.manifest import DatasetManifest, read_dataset_manifest
from pipelines.dataset.samples import DatasetKind, Payload, Picture, Sample, payloads
from pipelines.dataset.sources.origin import Origin
from pipelines.dataset.sources.pictures import as_png
from pipelines.ingestion import CaptureReader, DieReader, PointReader, open_captures


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A capture whose label people agree on.

    Attributes:
        capture_id: which capture of the file.
        file: where its file lies.
        label: what it shows.
        lot: what it must not be torn from; None = nobody knows.
        name: what people call it.
        kind: wafer or image.
        window: of a place of the capture: the place alone is labelled.
    """

    capture_id: str
    file: Path
    label: str
    lot: str | None
    name: str
    kind: CaptureKind = CaptureKind.WAFER
    window: Window | None = None


def dataset_of_labels(
    labelled: Sequence[LabelledFile], out: str | Path, *, base: str | Path | None = None, options: ImportOptions
) -> DatasetManifest:
    """Make a dataset of agreed labels.

    Args:
        labelled: at least one; wafers, and places of images. Those of another kind than the base stay out.
        out: directory to make; a dataset is never overwritten.
        base: an older dataset whose samples come along, each on its side of the split.
        options: name, normal label, unknown labels and seed; those of the base count where none are given.

    Raises:
        InputError: nothing is labelled, a file is missing or does not hold its capture, or is of another kind than the
            base.
        ConfigurationError: `out` exists, or `base` is not a dataset.
    """
    older = None if base is None else read_dataset_manifest(base)
    if older is not None:
        labelled = [one for one in labelled if (one.kind is CaptureKind.IMAGE) is (older.kind is DatasetKind.IMAGES)]
    if not labelled:
        raise InputError(
            "no label to learn from", expected="captures people agree on",
            remedy="label some at /labels; with fewer people lower --people",
        )  # fmt: skip
    if options.replace:
        raise ConfigurationError("a dataset of labels is never overwritten", remedy="choose another folder")
    if older is not None:
        options = replace(
            options, normal=options.normal or older.labels.normal, unknown=_unknown(options, older, labelled)
        )
    source = f"{len(labelled)} labels" + (f" + {older.name} {older.fingerprint[:12]}" if older is not None else "")

    def opening() -> Origin:
        return Origin(
            _samples(labelled, None if base is None else Path(base), older),
            normal=options.normal,
            exclusive=older is None or older.labels.exclusive,
            grouped_by="lot" if older is None else older.grouped_by,
            notes=_notes(labelled),
        )

    return build_dataset(opening, source, out, options)


def _unknown(options: ImportOptions, older: DatasetManifest, labelled: Sequence[LabelledFile]) -> tuple[str, ...]:
    """Strangers of the base stay strangers, but what people named since is to be learned."""
    named = {one.label for one in labelled}
    return options.unknown or tuple(name for name in older.unknown if name not in named)


def _samples(labelled: Sequence[LabelledFile], base: Path | None, older: DatasetManifest | None) -> Iterator[Sample]:
    if base is not None and older is not None:
        yield from stored_samples(base, older)
    by_file: dict[Path, list[LabelledFile]] = {}
    for one in labelled:
        by_file.setdefault(one.file, []).append(one)
    for file, wanted in by_file.items():
        readers = {reader.capture.id: reader for reader in open_captures(file)}
        for one in wanted:
            if one.capture_id not in readers:
                raise InputError("the file does not hold this capture", where=str(file), expected=one.name)
            yield _sample(one, readers[one.capture_id])


def _sample(one: LabelledFile, reader: CaptureReader) -> Sample:
    payload: Payload
    if isinstance(reader, PointReader):
        payload = reader.points
    elif isinstance(reader, DieReader):
        payload = reader.dies
    elif one.window is not None:
        payload = Picture(as_png(reader.read(one.window).pixels))
    else:
        raise InputError(
            "an image as a whole has no class", where=one.name, expected="a wafer, or a place of an image",
            got=reader.capture.kind.value, remedy="label aerial images as dots or folders of patches",
        )  # fmt: skip
    # Without a lot, a capture's own content is its group: the least that keeps a wafer on one side.
    return Sample((one.label,), one.lot or one.capture_id, payload, f"label: {one.name}")


def stored_samples(base: Path, older: DatasetManifest) -> Iterator[Sample]:
    """The samples of a dataset, each with the split it belongs to."""
    with pq.ParquetFile(base / "samples.parquet") as file:
        for batch in file.iter_batches(batch_size=256):
            columns = ("labels", "group", "origin", "split")
            rows = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
            stored = batch.drop_columns(["split"])
            for payload, (labels, group, origin, split) in zip(payloads(older.kind, stored), rows, strict=True):
                yield Sample(tuple(labels), group, payload, origin, split=split)


def _notes(labelled: Sequence[LabelledFile]) -> tuple[str, ...]:
    lonely = sum(one.lot is None for one in labelled)
    digest = hashlib.sha256("\n".join(sorted(f"{one.capture_id} {one.label}" for one in labelled)).encode()).hexdigest()
    notes = [f"labels {digest}"]
    if lonely:
        notes.append(f"{lonely} labelled captures name no lot: each is its own group")
    return tuple(notes)
