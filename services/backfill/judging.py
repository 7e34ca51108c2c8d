"""Judges a shard: many files at once in threads, their patches batched together by the service's own batcher.

The verdicts are those of the online path, for it is the same `inspect`; only the device sees fuller batches.
"""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.bundle import load_bundle
from models.classifier import Classifier
from models.dense import DenseClassifier
from models.domain.errors import InputError, RetryableError
from models.domain.inspection import Inspection
from models.domain.scenes import Patches
from models.domain.verdict import Predictions
from models.manifest import BundleManifest
from pipelines.ingestion import ReadOptions, open_captures
from services.backfill.plan import Plan
from services.backfill.recording import Records
from services.inspection.inspecting import inspect
from services.serving.batching import MicroBatcher

THREADS = 16
"""Files under way at once: enough that their single patches fill a batch."""

_TEXTS = ("file", "capture_id", "inspection_id", "name", "kind", "lot", "wafer", "product", "step", "tool")
_SAID = ("bundle", "version", "digest", "label", "reason", "likeliest", "runner_up", "error")
_FIELDS: "list[pa.Field[Any]]" = [
    *(pa.field(name, pa.string()) for name in _TEXTS),
    pa.field("slot", pa.int64()),
    pa.field("inspected_at", pa.timestamp("us")),
    *(pa.field(name, pa.string()) for name in _SAID),
    pa.field("unknown", pa.bool_()),
    pa.field("confidence", pa.float64()),
    pa.field("novelty", pa.float64()),
    pa.field("windows", pa.int64()),
    pa.field("counts", pa.map_(pa.string(), pa.int64())),
    pa.field("warnings", pa.list_(pa.string())),
]
SCHEMA = pa.schema(_FIELDS)
"""One row for each capture; a file that cannot be read has one row with its error: nothing is left out."""


class ShardJudge:
    """Holds the bundle and judges shard after shard."""

    def __init__(self, plan: Plan, device: str | None = None) -> None:
        """Load the bundle.

        Raises:
            ConfigurationError: it is damaged, or another one than was planned with.
        """
        self._plan = plan
        self._options = ReadOptions() if plan.reading is None else ReadOptions.load(plan.reading)
        self._records = None if plan.records is None else Records(plan.records, plan.digest)
        self._classifier = _Batched(plan, device)

    def judge(self, number: int) -> int:
        """Judge a shard and write its results; how many rows there are."""
        with ThreadPoolExecutor(THREADS) as threads:
            rows = [row for rows in threads.map(self._file, self._plan.shard(number)) for row in rows]
        target = self._plan.result(number)
        partial = target.with_name(f"_{target.name}")
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), partial, compression="zstd")
        partial.rename(target)
        return len(rows)

    def close(self) -> None:
        """End the batcher's thread."""
        self._classifier.close()
        if self._records is not None:
            self._records.close()

    def _file(self, file: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        try:
            rows.extend(_row(file, found) for found in self._inspect(file))
        except (InputError, RetryableError) as error:
            rows.append({"file": file, "error": str(error)})
        return rows

    def _inspect(self, file: str) -> Iterable[Inspection]:
        if self._records is not None:
            return self._records.inspect(file, self._classifier, self._options)
        return (inspect(reader, self._classifier) for reader in open_captures(file, options=self._options))


class _Batched:
    """A `PatchClassifier` for many threads at once."""

    def __init__(self, plan: Plan, device: str | None) -> None:
        bundle = load_bundle(plan.bundle)
        if bundle.manifest.ref.digest != plan.digest:
            raise InputError(
                "another bundle than was planned with",
                where=str(plan.bundle),
                expected=plan.digest,
                got=bundle.manifest.ref.digest,
            )
        self._model = Classifier(bundle, device)
        self._dense = DenseClassifier(self._model) if bundle.manifest.recipe.tiling.dense else None
        self._one_block = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="batcher", daemon=True)
        self._thread.start()
        self._batcher = MicroBatcher()

    @property
    def manifest(self) -> BundleManifest:
        return self._model.manifest

    def classify(self, patches: Patches) -> Predictions:
        return asyncio.run_coroutine_threadsafe(self._batcher.submit(self._model, patches), self._loop).result()

    def classify_block(self, pixels: NDArray[np.uint8]) -> Predictions:
        assert self._dense is not None, "the recipe asks for no blocks"
        with self._one_block:  # a block fills the device
            return self._dense.predict(pixels)

    def close(self) -> None:
        self._batcher.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _row(file: str, found: Inspection) -> dict[str, Any]:
    capture, whole, origin = found.capture, found.verdict, found.capture.provenance
    return {
        "file": file,
        "capture_id": capture.id,
        "inspection_id": found.id,
        "name": capture.name,
        "kind": capture.kind.value,
        **{name: getattr(origin, name) for name in ("lot", "wafer", "slot", "product", "step", "tool", "inspected_at")},
        "bundle": found.bundle.name,
        "version": found.bundle.version,
        "digest": found.bundle.digest,
        "label": whole.label,
        "unknown": whole.is_unknown,
        "confidence": whole.confidence,
        "novelty": whole.novelty,
        "reason": whole.reason.value,
        "likeliest": whole.likeliest,
        "runner_up": whole.runner_up,
        "windows": len(found.verdicts),
        "counts": sorted(found.counts.items()),
        "warnings": [warning.message for warning in found.warnings],
        "error": None,
    }


def refused(plan: Plan) -> Iterator[tuple[str, str]]:
    """Files of the finished shards that could not be read, with the reason."""
    for number in range(plan.shards):
        if plan.result(number).exists():
            table = pq.read_table(plan.result(number), columns=["file", "error"], filters=[("error", "!=", "")])
            yield from zip(table["file"].to_pylist(), table["error"].to_pylist(), strict=True)
