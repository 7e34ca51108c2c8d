"""Charts as numbers: where bars, lines and labels of an SVG go. Templates draw them; colours are the style sheet's.

Widths and heights are in the units of the drawing's view box, y runs down.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.spc.p_chart import PChart
from services.dashboard import words
from services.records.quality import Interval, Share

WIDTH, HEIGHT = 760.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 14.0, 12.0, 28.0
_PLOT_W, _PLOT_H = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle; `tip` is told when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    tip: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A point on a line."""

    x: float
    y: float
    kind: str
    tip: str


@dataclass(frozen=True, slots=True)
class Trend:
    """Stacked bars over time."""

    bars: tuple[Rect, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]


SPARK_WIDTH, SPARK_HEIGHT = 320.0, 56.0


@dataclass(frozen=True, slots=True)
class Spark:
    """A small chart of one number over time: its bars, the largest, the newest, and what it means."""

    name: str
    newest: str
    largest: str
    note: str
    bars: tuple[Rect, ...]


def spark(
    name: str,
    note: str,
    points: Sequence[tuple[datetime, float | None]],
    say: Callable[[float], str],
    kind: str = "line",
) -> Spark:
    """Bars as high as their share of the largest value; None leaves a gap.

    Args:
        name: of the number.
        note: what it means.
        points: the beginning of each interval and its value.
        say: a value in words.
        kind: of the bars, for their colour.
    """
    top = max((value for _, value in points if value is not None), default=0.0)
    slot = SPARK_WIDTH / max(1, len(points))
    bars = []
    for k, (since, value) in enumerate(points):
        if value:
            height = max(1.5, value / top * SPARK_HEIGHT)
            tip = f"{since:%H:%M}: {say(value)}"
            bars.append(Rect(k * slot + slot * 0.1, SPARK_HEIGHT - height, slot * 0.8, height, kind, tip))
    newest = next((value for _, value in reversed(points) if value is not None), None)
    return Spark(name, "–" if newest is None else say(newest), say(top), note, tuple(bars))


@dataclass(frozen=True, slots=True)
class Control:
    """A control chart: dots, the line between them, the centre, and the stepped limits as SVG paths."""

    dots: tuple[Dot, ...]
    line: str
    limits: str
    centre_y: float | None
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class ParetoRow:
    """A pattern in the Pareto table: its bar as a share of the longest, and how much is covered up to here."""

    label: str
    captures: int
    share_of_longest: float
    cumulated: float


def pareto(found: Sequence[Share]) -> tuple[ParetoRow, ...]:
    """Failing labels by frequency with the cumulated share of all failing captures."""
    failing = [one for one in found if not one.normal]
    total, longest, sum_ = sum(one.captures for one in failing), max((one.captures for one in failing), default=1), 0
    rows = []
    for one in failing:
        sum_ += one.captures
        rows.append(ParetoRow(one.label, one.captures, one.captures / longest, sum_ / total))
    return tuple(rows)


def trend(found: Sequence[Interval], step: timedelta) -> Trend:
    """Captures per interval: normal at the bottom, defects and unknown on top."""
    top = nice_ceiling(max((one.captures for one in found), default=0))
    slot = _PLOT_W / max(1, len(found))
    bars = []
    for k, one in enumerate(found):
        base = HEIGHT - BOTTOM
        parts = (("normal", one.captures - one.failing), ("defect", one.defects), ("unknown", one.unknown))
        for kind, number in parts:
            height = number / top * _PLOT_H
            base -= height
            if number:
                tip = f"{_clock(one.since, step)}: {number} {kind} of {one.captures}"
                bars.append(Rect(LEFT + k * slot + slot * 0.12, base, slot * 0.76, height, kind, tip))
    ticks = [Tick(HEIGHT - BOTTOM - share * _PLOT_H, words.thousands(share * top)) for share in (0, 0.5, 1)]
    return Trend(tuple(bars), tuple(ticks), _times(found, step))


def control(found: Sequence[Interval], chart: PChart, step: timedelta) -> Control:
    """The share of failing captures per interval with its limits."""
    judged = [point.share for point in chart.points if point.share is not None]
    judged += [point.high for point in chart.points if point.is_judged]
    top = min(1.0, nice_ceiling(100 * max(judged, default=0.1)) / 100)
    slot = _PLOT_W / max(1, len(found))

    def y(share: float) -> float:
        return HEIGHT - BOTTOM - min(share, top) / top * _PLOT_H

    dots: list[Dot] = []
    line: list[str] = []
    limits: list[str] = []
    for k, (one, point) in enumerate(zip(found, chart.points, strict=True)):
        x = LEFT + (k + 0.5) * slot
        if point.is_judged:
            limits.extend(f"M{x - slot / 2:.1f} {y(edge):.1f}h{slot:.1f}" for edge in (point.low, point.high))
        if point.share is None:
            continue
        kind = "beyond" if point.is_beyond else "run" if point.is_run else "calm" if point.is_judged else "small"
        reason = {"beyond": ", beyond the limits", "run": ", nine on one side", "small": ", too few to judge"}.get(
            kind, ""
        )
        tip = f"{_clock(one.since, step)}: {words.percent(point.share)} of {one.captures}{reason}"
        dots.append(Dot(x, y(point.share), kind, tip))
        line.append(f"{'L' if line else 'M'}{x:.1f} {y(point.share):.1f}")
    ticks = [Tick(y(share * top), words.percent(share * top)) for share in (0, 0.5, 1)]
    centre = None if chart.centre is None else y(chart.centre)
    return Control(tuple(dots), "".join(line), "".join(limits), centre, tuple(ticks), _times(found, step))


def nice_ceiling(value: float) -> float:
    """The next round number: 1, 2, 4, 5 or 10 times a power of ten."""
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(k * power for k in (1, 2, 4, 5, 10) if k * power >= value - 1e-9)


def _times(found: Sequence[Interval], step: timedelta) -> tuple[Tick, ...]:
    every = max(1, math.ceil(len(found) / 8))
    slot = _PLOT_W / max(1, len(found))
    return tuple(
        Tick(LEFT + (k + 0.5) * slot, _clock(one.since, step)) for k, one in enumerate(found) if k % every == 0
    )


def _clock(at: datetime, step: timedelta) -> str:
    return f"{at:%H:%M}" if step < timedelta(hours=6) else f"{at:%d %b}"
