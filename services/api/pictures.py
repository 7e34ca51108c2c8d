"""Drawings as PNG: thumbnails in lists, and the wafer page for readers without scripts."""

import io
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.ingestion.wafer_maps import FAIL, PASS
from services.api.drawing import Drawing, states_of

Rgb = tuple[int, int, int]


class Theme(StrEnum):
    """What the picture lies on."""

    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Colours:
    """Colours of one theme; the ramp runs from few defects to many. The viewer in the browser uses the same."""

    disc: Rgb
    rim: Rgb
    passed: Rgb
    failed: Rgb
    ramp: tuple[Rgb, ...]


COLOURS = {
    Theme.LIGHT: Colours(
        disc=(233, 238, 244),
        rim=(160, 172, 186),
        passed=(201, 212, 224),
        failed=(178, 30, 40),
        ramp=((150, 182, 216), (62, 112, 178), (44, 66, 140), (73, 38, 112), (122, 24, 84), (178, 30, 40)),
    ),
    Theme.DARK: Colours(
        disc=(32, 41, 52),
        rim=(88, 102, 118),
        passed=(58, 72, 88),
        failed=(255, 150, 90),
        ramp=((56, 92, 136), (84, 150, 196), (116, 200, 196), (190, 222, 140), (246, 208, 96), (255, 150, 90)),
    ),
}
_COVERED = 0.2
"""Share of the wafer that marks may cover before they shrink."""
_NOTCH_PX_SHARE = 0.012
_PATCH_PX = 256
_HEAT: Rgb = (255, 140, 0)
_HEAT_SHARE = 0.75
"""Of the hottest places so much is colour: the patch stays visible beneath."""


def png(drawing: Drawing, size: int, theme: Theme) -> bytes:
    """A square picture.

    Args:
        drawing: of a wafer or an image.
        size: side in pixels.
        theme: light or dark page; images look the same on both.
    """
    if drawing.geometry["kind"] == "image":
        return _encode(_fit(drawing.pixels, size))
    colours = COLOURS[theme]
    canvas = np.empty((size, size, 3), np.float32)
    canvas[:] = colours.disc
    if drawing.geometry["kind"] == "dies":
        _paint_dies(canvas, states_of(drawing.geometry), colours)
    else:
        _paint_points(canvas, drawing.places, colours)
    return _encode(_on_disc(canvas, colours))


def pixels_png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels of an image, uint8 (H, W, 3), as they are."""
    return _encode(pixels)


def patch_png(pixels: NDArray[np.uint8], size: int = _PATCH_PX) -> bytes:
    """A patch as a square picture with sharp pixels; a wafer's density in the colours of the other pictures.

    Args:
        pixels: uint8 (H, W, C): two channels of a wafer, or the bands of an image.
        size: side in pixels.
    """
    return _encode(_patch(pixels, size))


def heat_png(pixels: NDArray[np.uint8], heat: NDArray[np.float32], size: int = _PATCH_PX) -> bytes:
    """A patch with a heat map (H, W), 0..1, laid over it: the hotter, the more colour and the less patch."""
    hot = Image.fromarray(heat.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    weight = _HEAT_SHARE * np.clip(np.asarray(hot), 0, 1)[..., None]
    mixed = _patch(pixels, size) * (1 - weight) + np.array(_HEAT, np.float32) * weight
    return _encode(mixed.round().astype(np.uint8))


def _patch(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if pixels.shape[2] == 2:
        colours = COLOURS[Theme.LIGHT]
        canvas = np.full((*pixels.shape[:2], 3), colours.disc, np.float32)
        inspected, density = pixels[..., 1] > 127, pixels[..., 0] / 255
        canvas[inspected] = colours.passed
        seen = inspected & (density > 0)
        canvas[seen] = _ramp(density[seen], colours.ramp)
        shown = canvas.round().astype(np.uint8)
    else:
        shown = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    return np.asarray(Image.fromarray(np.ascontiguousarray(shown)).resize((size, size), Image.Resampling.NEAREST))


CLASS_COLOURS: tuple[Rgb, ...] = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0), (148, 103, 189),
    (140, 86, 75), (127, 127, 127),
)  # fmt: skip
"""Told apart with every common colour blindness (Okabe and Ito, 2008), two more, and grey for the rest."""


def classes_png(dominant: NDArray[np.int64], size: int, theme: Theme) -> bytes:
    """The most frequent class of each cell as a square picture.

    Args:
        dominant: (cells, cells), row 0 at the top: index into `CLASS_COLOURS`, -1 = nothing there.
        size: side in pixels.
        theme: light or dark page.
    """
    colours = COLOURS[theme]
    palette = np.array([*CLASS_COLOURS, colours.disc], np.float32)
    cells = np.arange(size) * dominant.shape[0] // size
    return _encode(_on_disc(palette[dominant[cells][:, cells]], colours))


def stack_png(share: NDArray[np.float64], size: int, theme: Theme) -> bytes:
    """A stack of wafers as a square picture; the largest value has the full colour.

    Args:
        share: (cells, cells), row 0 at the top: share of the wafers that have something in the cell, or a density.
        size: side in pixels.
        theme: light or dark page.
    """
    colours = COLOURS[theme]
    canvas = np.empty((size, size, 3), np.float32)
    canvas[:] = colours.disc
    cells = np.arange(size) * share.shape[0] // size
    shown = share[cells][:, cells] / max(1e-9, float(share.max(initial=0)))
    seen = shown > 0
    canvas[seen] = _ramp(shown[seen], (colours.disc, *colours.ramp))
    return _encode(_on_disc(canvas, colours))


def _paint_points(canvas: NDArray[np.float32], places: NDArray[np.uint16], colours: Colours) -> None:
    size = canvas.shape[0]
    u, v = (places.astype(np.int64) * size) >> 16
    counts = np.bincount(v * size + u, minlength=size * size).reshape(size, size)
    counts = _grown(counts, _mark_px(int(np.count_nonzero(counts)), size))
    most = int(counts.max(initial=0))
    if most == 0:
        return
    floor = max(0.06, 0.5 - 0.09 * np.log(most))
    seen = counts > 0
    share = floor + (1 - floor) * np.log(counts[seen]) / max(1e-9, np.log(most))
    canvas[seen] = _ramp(np.clip(share, 0, 1), colours.ramp)


def _mark_px(occupied: int, size: int) -> int:
    """Side of one defect's mark: small where many pixels have one, so that they do not merge."""
    fair = int(np.sqrt(_COVERED * size * size / max(1, occupied)))
    return min(max(1, fair), max(2, min(4, size // 110)))


def _grown(counts: NDArray[np.int64], px: int) -> NDArray[np.int64]:
    """Each pixel takes the largest count of the `px` × `px` pixels to its upper left."""
    grown = counts
    for axis in (0, 1):
        line = grown
        for step in range(1, px):
            moved = np.roll(line, step, axis=axis)
            moved[(slice(None),) * axis + (slice(0, step),)] = 0
            grown = np.maximum(grown, moved)
    return grown


def _ramp(share: NDArray[np.float64], ramp: tuple[Rgb, ...]) -> NDArray[np.float32]:
    stops = np.linspace(0, 1, len(ramp))
    return np.stack([np.interp(share, stops, [c[i] for c in ramp]) for i in range(3)], axis=-1).astype(np.float32)


def _paint_dies(canvas: NDArray[np.float32], states: NDArray[np.uint8], colours: Colours) -> None:
    size = canvas.shape[0]
    rows = np.arange(size) * states.shape[0] // size
    columns = np.arange(size) * states.shape[1] // size
    shown = states[rows][:, columns]
    canvas[shown == PASS] = colours.passed
    canvas[shown == FAIL] = colours.failed


def _on_disc(canvas: NDArray[np.float32], colours: Colours) -> NDArray[np.uint8]:
    """Cut the round wafer out of the square, with a soft rim and the notch at the bottom."""
    size = canvas.shape[0]
    line_px = max(1.0, size / 320)
    place = np.arange(size) + 0.5 - size / 2
    radius = np.hypot(place[:, None], place[None])
    notch = np.hypot(place[:, None] - size / 2, place[None]) - _NOTCH_PX_SHARE * size
    edge = np.minimum(size / 2 - radius, notch)  # how far inside the outline, in pixels
    inside = np.clip(edge + 0.5, 0, 1)[..., None]
    on_rim = np.clip(line_px + 0.5 - edge, 0, 1)[..., None]
    colour = canvas * (1 - on_rim) + np.array(colours.rim, np.float32) * on_rim
    return np.concatenate([colour, inside * 255], axis=-1).round().astype(np.uint8)


def _fit(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    picture = Image.fromarray(pixels)
    picture.thumbnail((size, size))
    return np.asarray(picture)


def _encode(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=False, compress_level=6)
    return stream.getvalue()
