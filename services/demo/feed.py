"""What the demo feeds through the watch folder, and how it is told whether the verdicts are right."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from pipelines.simulate import PATTERNS, UNKNOWN_PATTERNS, Breakage, TrueWafer, broken_file, simulate

UNKNOWN = "unknown"
QUARANTINED = "quarantined"
DEFECTS = (1_000, 20_000)
LOT_PATTERNS = ("Ring", "Normal", "HalfMoon", "Donut")


@dataclass(frozen=True, slots=True)
class Expected:
    """One wafer (or broken file) that was fed.

    Attributes:
        file: name in the watch folder.
        wafer: WaferID; empty for a file that holds none.
        truth: what it shows, for people.
        verdict: what the service should state: a pattern, 'unknown', or 'quarantined'.
    """

    file: str
    wafer: str
    truth: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the service stated of one wafer, or of a file it could not read.

    Attributes:
        verdict: a pattern, 'unknown', or 'quarantined'.
        confidence: 0..1, of the likeliest class.
        seconds: from arrival to recorded verdict.
        reason: why, or the error.
    """

    verdict: str
    confidence: float
    seconds: float
    reason: str


def feed(scratch: Path, watch: Path, seed: int) -> tuple[Expected, ...]:
    """Write the demo's wafers and move them into the watch folder.

    One file for each known pattern, one for each pattern never trained on, one lot file with several wafers, the same
    file twice under two names, and two broken ones.

    Args:
        scratch: folder to write in first; a tool renames a finished file, so do we.
        watch: the watch folder.
        seed: other wafers for each run.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    known = simulate(scratch / "known", 1, patterns=PATTERNS, seed=seed, defects=DEFECTS, wafers_per_lot=1)
    strange = simulate(scratch / "unknown", 1, patterns=UNKNOWN_PATTERNS, seed=seed + 1, defects=DEFECTS, version="1.8")
    lot = simulate(
        scratch / "lot", 1, patterns=LOT_PATTERNS, seed=seed + 2, defects=DEFECTS, wafers_per_lot=4, file_per_lot=True
    )
    expected = [_expected(f"k{seed}", wafer, wafer.pattern) for wafer in known.wafers]
    expected += [_expected(f"u{seed}", wafer, UNKNOWN) for wafer in strange.wafers]
    expected += [_expected(f"l{seed}", wafer, wafer.pattern) for wafer in lot.wafers]
    for truth, prefix in ((known, f"k{seed}"), (strange, f"u{seed}"), (lot, f"l{seed}")):
        for path in truth.files:
            shutil.move(path, watch / _name(prefix, path.name))
    first = known.files[0]
    shutil.copy(watch / _name(f"k{seed}", first.name), watch / f"again-{seed}.klarf")
    for kind in (Breakage.WRONG_COUNT, Breakage.GARBAGE):
        name = f"broken-{seed}-{kind.value.replace(' ', '-')}.klarf"
        broken_file(watch / name, kind, seed)
        expected.append(Expected(name, "", f"broken: {kind.value}", QUARANTINED))
    shutil.rmtree(scratch)
    return tuple(expected)


def _expected(prefix: str, wafer: TrueWafer, verdict: str) -> Expected:
    return Expected(_name(prefix, wafer.file), wafer.wafer, wafer.pattern, verdict)


def _name(prefix: str, file: str) -> str:
    return f"{prefix}-{file}"
