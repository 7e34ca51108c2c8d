"""What was found in a capture, for people and for maps: a picture with marks, and GeoJSON."""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.domain.capture import Capture
from models.domain.errors import InputError
from models.domain.tiling import Window, pyramid
from models.domain.verdict import Reason, Verdict
from pipelines.ingestion import CaptureReader, to_wgs84

OVERLAY_PX = 1600
"""Longest side of a picture with marks: an animal of 50 pixels on 5,000 still has 16."""
UNKNOWN = "unknown"
_COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
"""Told apart also by people who see colours differently (Okabe and Ito, 2008)."""
_UNKNOWN_COLOUR = (255, 255, 255)


def findings(verdicts: Iterable[Verdict], normal: str | None) -> list[Verdict]:
    """Verdicts that say more than that there is nothing: of a class, or unknown."""
    return [one for one in verdicts if one.reason is not Reason.NOT_INSPECTED and (one.label or UNKNOWN) != normal]


def overlay(reader: CaptureReader, verdicts: Iterable[Verdict], normal: str | None) -> bytes:
    """A picture of an image with a mark for each finding and a legend with counts, PNG.

    Args:
        reader: the image, open.
        verdicts: of it.
        normal: label that is not marked.
    """
    picture = Image.fromarray(_preview(reader)).convert("RGB")
    found = findings(verdicts, normal)
    counts = Counter(one.label or UNKNOWN for one in found)
    names = sorted(set(counts) - {UNKNOWN})
    colours = {name: _COLOURS[k % len(_COLOURS)] for k, name in enumerate(names)} | {UNKNOWN: _UNKNOWN_COLOUR}
    pen = ImageDraw.Draw(picture)
    for one in found:
        row, column = one.window.centre
        radius = max(5.0, 0.3 * one.window.width / one.window.level.width * picture.width)
        x, y = column * picture.width, row * picture.height
        for grown, colour in ((1.5, (0, 0, 0)), (0.0, colours[one.label or UNKNOWN])):
            reach = radius + grown
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=2)
    _legend(pen, [(f"{name} {counts[name]}", colours[name]) for name in (*names, UNKNOWN) if counts[name]])
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _preview(reader: CaptureReader) -> NDArray[np.uint8]:
    """The whole image, at most `OVERLAY_PX` a side, uint8 (H, W, 3)."""
    levels = pyramid(reader.capture, 1)
    finest = [one for one in levels if max(one.height, one.width) >= OVERLAY_PX]
    level = min(finest or levels[-1:], key=lambda one: one.index)
    pixels = reader.read(Window(level, 0, 0, level.height, level.width)).pixels
    shown = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    picture = Image.fromarray(np.ascontiguousarray(shown))
    picture.thumbnail((OVERLAY_PX, OVERLAY_PX))
    return np.asarray(picture)


def _legend(pen: ImageDraw.ImageDraw, lines: Sequence[tuple[str, tuple[int, int, int]]]) -> None:
    font = ImageFont.load_default(18)
    lines = lines or [("nothing found", _UNKNOWN_COLOUR)]
    width = max(pen.textlength(text, font=font) for text, _ in lines)
    pen.rectangle((8, 8, 48 + width, 16 + 24 * len(lines)), fill=(20, 26, 33))
    for k, (text, colour) in enumerate(lines):
        pen.ellipse((18, 17 + 24 * k, 30, 29 + 24 * k), outline=colour, width=3)
        pen.text((38, 12 + 24 * k), text, fill=(255, 255, 255), font=font)


def geojson(capture: Capture, verdicts: Iterable[Verdict], normal: str | None) -> dict[str, Any]:
    """A FeatureCollection (RFC 7946) with a point for each finding, in longitude and latitude (WGS 84).

    Args:
        capture: a georeferenced image.
        verdicts: of it.
        normal: label that is left out.

    Raises:
        InputError: the capture has no place on Earth.
    """
    if capture.georeference is None:
        raise InputError(
            "image has no place on Earth",
            where=capture.name,
            expected="a coordinate reference system, as GeoTIFF carries it",
            remedy="give it one (gdal_translate -a_srs … -a_ullr …)",
            code="no-crs",
        )
    found = findings(verdicts, normal)
    centres = np.array([one.window.centre for one in found]).reshape(-1, 2) * (capture.height, capture.width)
    longitude, latitude = to_wgs84(capture.georeference, columns=centres[:, 1], rows=centres[:, 0])
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [round(float(x), 8), round(float(y), 8)]},
            "properties": {
                "label": one.label,
                "unknown": one.is_unknown,
                "confidence": round(one.confidence, 4),
                "novelty": round(one.novelty, 4),
                "reason": one.reason.value,
                "likeliest": one.likeliest,
                "row_px": round(float(row), 1),
                "column_px": round(float(column), 1),
            },
        }
        for one, x, y, (row, column) in zip(found, longitude, latitude, centres, strict=True)
    ]
    return {"type": "FeatureCollection", "name": capture.name, "features": features}
