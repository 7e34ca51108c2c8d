"""Wafers with known patterns, drawn as point processes and written as real result files.

Which dies a wafer has and which the tool looks at: `dies`, `products`, `coverage`. The unit disc and what to draw with:
`frame`, `shapes`. The patterns: `areas`, `lines`, `unknown`, and their table `patterns`. What lies on every wafer:
`background`. One wafer in memory: `wafer`. Its file: `lots`, `defect_columns`, `writing`, `truth`, and `broken` ones.
A picture for people: `gallery`.
"""

from pipelines.simulate.broken import Breakage, broken_file
from pipelines.simulate.patterns import INCOMPLETE, NORMAL, PATTERNS, UNKNOWN_PATTERNS
from pipelines.simulate.truth import TrueWafer, Truth, read_truth
from pipelines.simulate.wafer import SimulatedWafer, sample
from pipelines.simulate.writing import simulate

__all__ = [
    "INCOMPLETE",
    "NORMAL",
    "PATTERNS",
    "UNKNOWN_PATTERNS",
    "Breakage",
    "SimulatedWafer",
    "TrueWafer",
    "Truth",
    "broken_file",
    "read_truth",
    "sample",
    "simulate",
]
