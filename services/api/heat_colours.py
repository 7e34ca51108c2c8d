"""Heat maps in colour, to be laid over a picture: clear where there is nothing, a colour of its own for each class."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.domain.heat import FULL
from services.api.pictures import CLASS_COLOURS, Rgb

UNKNOWN: Rgb = (106, 58, 168)
"""Violet, as everything unknown on the pages."""
_PALE = 0.45
"""Share of white in the faintest shade."""
_DENSEST = 0.92
"""Opacity of a probability of one: even there the picture can be made out."""
_STOPS = 5
# OKLab (Ottosson, "A perceptual color space for image processing", 2020): equal steps look equal.
_TO_CONES = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip


def heat_png(values: NDArray[np.uint8], colour: Rgb) -> bytes:
    """A pixel for each cell, with a palette of `shades`.

    Args:
        values: uint8 (R, C), probabilities.
        colour: of the class.
    """
    picture = Image.frombytes("P", values.shape[::-1], np.ascontiguousarray(values).tobytes())
    table = shades(colour)
    picture.putpalette(table[:, :3].tobytes())
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=table[:, 3].tobytes())
    return stream.getvalue()


def shades(colour: Rgb) -> NDArray[np.uint8]:
    """RGBA of each value 0..255, uint8 (256, 4), from pale and clear to full and dense in even steps for the eye."""
    share = np.linspace(0, 1, FULL + 1)[:, None]
    white, full = (_to_oklab(np.array(one) / 255) for one in ((255, 255, 255), colour))
    pale = full + (white - full) * _PALE
    rgb = _from_oklab(pale + (full - pale) * share)
    return np.round(np.hstack([rgb, _DENSEST * share]) * 255).astype(np.uint8)


def stops(colour: Rgb) -> list[str]:
    """The shades of probabilities 0, ¼, … 1 as CSS colours, for a legend."""
    picked = shades(colour)[np.linspace(0, FULL, _STOPS).round().astype(int)].tolist()
    return [f"rgb({red} {green} {blue} / {alpha / 255:.2f})" for red, green, blue, alpha in picked]


def colour_of(label: str | None, place: int) -> Rgb:
    """Of a class by its place among the classes of its level; violet for what was refused a label."""
    return UNKNOWN if label is None else CLASS_COLOURS[place % (len(CLASS_COLOURS) - 1)]


def _to_oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lab: NDArray[np.float64] = np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    return lab


def _from_oklab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = np.clip((lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_CONES).T, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
