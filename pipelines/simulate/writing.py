"""Simulated wafers as result files: many wafers of many lots, and the truth beside them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from models.domain.errors import ConfigurationError
from pipelines.ingestion.formats.klarf import Klarf, NewLot, NewWafer, Point, new_klarf, write_klarf
from pipelines.simulate.defect_columns import CLASSES, draw_columns
from pipelines.simulate.lots import SLOTS, SimulatedLot, simulated_lot
from pipelines.simulate.patterns import PATTERNS
from pipelines.simulate.truth import TRUTH_FILE, TrueWafer, Truth, write_truth
from pipelines.simulate.wafer import DEFECTS, SimulatedWafer, check_defects, check_pattern, sample

Version = Literal["1.2", "1.8"]
"""Dialects written: flat and nested."""

_PER_WAFER = timedelta(minutes=4)


def simulate(
    out_dir: Path,
    wafers: int = 20,
    *,
    patterns: Sequence[str] = PATTERNS,
    seed: int = 0,
    defects: tuple[int, int] = DEFECTS,
    version: Version = "1.2",
    wafers_per_lot: int = 10,
    file_per_lot: bool = False,
    on_wafer: Callable[[int, int], None] | None = None,
) -> Truth:
    """Simulate wafers and write them as KLARF files with their truth.

    Wafer i shows pattern i modulo the number of patterns, and it does not depend on how many wafers are made: the
    first wafers of a longer simulation are those of a shorter one, byte by byte.

    Args:
        out_dir: folder for the files; made if missing.
        wafers: how many of each pattern.
        patterns: names of PATTERNS or UNKNOWN_PATTERNS.
        seed: another seed, other wafers.
        defects: range of the number of defects, drawn log-uniformly.
        version: dialect of the files.
        wafers_per_lot: wafers that share lot, product, step and tool (1 to 25). Keep it prime to the number of
            patterns, or lots will hold only some of them.
        file_per_lot: one file with all wafers of a lot instead of one file per wafer.
        on_wafer: called with (wafers written, wafers in all) for a progress bar.

    Returns:
        What was made; the same is in `truth.csv`, which is written last: after an interruption, call again.

    Raises:
        ConfigurationError: unknown pattern, impossible numbers, or the folder holds a simulation already.
    """
    _check(out_dir, wafers, wafers_per_lot, version)
    check_defects(defects)
    for pattern in patterns:
        check_pattern(pattern)
    plan = _Plan(seed, tuple(patterns), wafers * len(patterns), wafers_per_lot, defects)
    out_dir.mkdir(parents=True, exist_ok=True)
    truth: list[TrueWafer] = []
    for number in range(plan.lots):
        lot = simulated_lot(seed, number)
        content = list(plan.slots(number))
        groups = [content] if file_per_lot else [[one] for one in content]
        for slots in groups:
            made = [(slot, plan.wafer(index, lot)) for slot, index in slots]
            name = f"{lot.name if file_per_lot else lot.wafer(slots[0][0])}.klarf"
            # Without a truth, a file of this name (it holds the seed) was left by an interrupted simulation.
            (out_dir / name).unlink(missing_ok=True)
            write_klarf(as_klarf(lot, made, seed, version), out_dir / name)
            truth += [
                TrueWafer(name, ordinal, lot.name, lot.wafer(slot), wafer.pattern, len(wafer.points))
                for ordinal, (slot, wafer) in enumerate(made)
            ]
            if on_wafer is not None:
                on_wafer(len(truth), plan.total)
    return write_truth(out_dir, truth)


def as_klarf(
    lot: SimulatedLot, wafers: Sequence[tuple[int, SimulatedWafer]], seed: int = 0, version: Version = "1.2"
) -> Klarf:
    """The result file of wafers of one lot, given as (slot, wafer), all of the lot's product."""
    layout = lot.product.layout
    head = NewLot(
        lot=lot.name,
        product=lot.product.code,
        step=lot.step,
        recipe=f"{lot.product.code}-{lot.step}",
        tool=("WAFERWATCH", "SIMULATOR", lot.tool),
        inspected_at=lot.inspected_at + _PER_WAFER * wafers[0][0],
        diameter_mm=layout.diameter_um / 1000,
        die_pitch_um=Point(*layout.pitch_um),
        centre_um=Point(*layout.centre_um),
        classes=CLASSES,
    )
    return new_klarf(head, [_new_wafer(lot, slot, wafer, seed, version) for slot, wafer in wafers], version)


def _new_wafer(lot: SimulatedLot, slot: int, wafer: SimulatedWafer, seed: int, version: Version) -> NewWafer:
    x_um, y_um = wafer.points.x_um.astype(np.float64), wafer.points.y_um.astype(np.float64)
    place = wafer.layout.locate(x_um, y_um)
    order = np.lexsort((place.column, place.row))  # tools report die by die
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2, *lot.name.encode(), slot)))
    columns = draw_columns(rng, wafer.pattern, wafer.in_pattern[order])
    per_um = 1000 if version == "1.8" else 1
    kind = np.int64 if version == "1.8" else np.float64
    zeros = np.zeros(len(order), dtype=np.int32)
    return NewWafer(
        wafer=lot.wafer(slot),
        slot=slot,
        x_um=x_um[order],
        y_um=y_um[order],
        classes=columns.class_number,
        sizes_um=columns.size_um,
        dies=np.stack((wafer.layout.columns, wafer.layout.rows), axis=1),
        columns={
            "XSIZE": np.round(columns.x_size_um * per_um, 3).astype(kind),
            "YSIZE": np.round(columns.y_size_um * per_um, 3).astype(kind),
            "DEFECTAREA": columns.area_um2 * per_um**2,
            "ROUGHBINNUMBER": columns.rough_bin,
            "REVIEWSAMPLE": (columns.class_number > 0).astype(np.int32),
            "IMAGECOUNT": zeros,
        },
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which wafer lies where: wafer `index` is in lot index // per_lot, slot index % per_lot + 1."""

    seed: int
    patterns: tuple[str, ...]
    total: int
    per_lot: int
    defects: tuple[int, int]

    @property
    def lots(self) -> int:
        return -(-self.total // self.per_lot)

    def slots(self, lot: int) -> Iterator[tuple[int, int]]:
        """(slot, index) of the wafers of a lot."""
        for index in range(lot * self.per_lot, min(self.total, (lot + 1) * self.per_lot)):
            yield index % self.per_lot + 1, index

    def wafer(self, index: int, lot: SimulatedLot) -> SimulatedWafer:
        pattern = self.patterns[index % len(self.patterns)]
        child = np.random.SeedSequence(self.seed, spawn_key=(1, index))
        return sample(pattern, child, defects=self.defects, of_product=lot.product)


def _check(out_dir: Path, wafers: int, wafers_per_lot: int, version: str) -> None:
    if version not in get_args(Version):
        raise ConfigurationError("unknown dialect", expected=" | ".join(get_args(Version)), got=version)
    if wafers < 1 or not 1 <= wafers_per_lot <= SLOTS:
        raise ConfigurationError(
            "bad numbers of wafers",
            expected=f"wafers >= 1, 1 <= wafers_per_lot <= {SLOTS}",
            got=f"wafers={wafers} wafers_per_lot={wafers_per_lot}",
        )
    if (out_dir / TRUTH_FILE).exists():
        raise ConfigurationError(
            "the folder holds a simulation already",
            where=str(out_dir / TRUTH_FILE),
            remedy="choose an empty folder or remove this one",
        )
