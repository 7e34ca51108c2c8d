"""Tasks of the child: what an image holds, and the pixels of a rectangle of it, piece by piece.

GDAL does the decoding (through rasterio). It is told which one driver to use, gets an open file and no name, and may
neither look for files beside it nor speak to a network.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window as Rectangle

from models.domain.errors import InputError
from pipelines.decoding.reduction import Reduction
from pipelines.decoding.shared import writable
from pipelines.decoding.wire import Reply

_PIECE_BYTES = 8 << 20
_CACHE_BYTES = 128 << 20
"""Two rows of tiles of 512, RGB, 40,000 wide: what overlapping windows need again is not decoded again."""
_KEEP_OPEN = 4
_THREADS = "2"

_environment = rasterio.Env(
    GDAL_CACHEMAX=_CACHE_BYTES,
    GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
    GDAL_PAM_ENABLED="NO",
    GDAL_NUM_THREADS="1",
    # Or a JPEG that claims 65,500 x 65,500 pixels decodes for minutes and comes out grey, without an error.
    GDAL_ERROR_ON_LIBJPEG_WARNING=True,
)
_environment.__enter__()  # for the life of this process: entering it anew for each request would drop GDAL's cache
_open_images: OrderedDict[tuple[Any, ...], "_Image"] = OrderedDict()


@dataclass(frozen=True, slots=True)
class _Image:
    """An open image and which of its bands are colours, which tells where there is a picture at all."""

    dataset: Any
    colours: tuple[int, ...]
    alpha: int | None
    palette: NDArray[np.uint8] | None

    @property
    def bands(self) -> int:
        return 3 if self.palette is not None else len(self.colours)


def describe(file: int, arguments: Mapping[str, Any]) -> Iterator[Reply]:
    """One reply with what the decoder sees.

    Its meta: `width`, `height`, `bands` (alpha not counted, a palette as three), `dtype`, `bits`, `crs` (WKT or None),
    `transform` (six affine terms), `block` (height, width).

    Args:
        file: open file descriptor.
        arguments: `driver` of GDAL; `page`, from 1.

    Raises:
        InputError: GDAL cannot open it.
    """
    image = _open(file, arguments)
    data = image.dataset
    bits = data.tags(1, ns="IMAGE_STRUCTURE").get("NBITS") if image.palette is None else None
    dtypes = {data.dtypes[band - 1] for band in image.colours}
    yield Reply(
        {
            "width": data.width,
            "height": data.height,
            "bands": image.bands,
            "dtype": "uint8" if image.palette is not None else (dtypes.pop() if len(dtypes) == 1 else "mixed"),
            "bits": int(bits) if bits else None,
            "crs": data.crs.to_wkt() if data.crs else None,
            "transform": list(data.transform)[:6],
            "block": list(data.block_shapes[0]),
        }
    )


def read(file: int, arguments: Mapping[str, Any]) -> Iterator[Reply]:
    """Pixels of a rectangle, written into shared memory: bytes (rows, columns, bands).

    Each reply says that a piece of the image was read. Where some of it shows nothing, it has `valid` (rows, columns):
    at scale 1 of that piece, whose `top` and `left` in the image it tells; at a coarser scale the last reply has the
    valid share of all.

    Args:
        file: open file descriptor.
        arguments: `memory`, file descriptor of as many bytes as the pixels have; `driver`, `page`; `top`, `left`,
            `bottom`, `right` in pixels of the image; `scale`, pixels averaged in each direction; `low` and `high`, the
            values that become 0 and 255, or None to keep bytes as they are.

    Raises:
        InputError: the image is broken there.
    """
    image = _open(file, arguments)
    scale = int(arguments["scale"])
    top, left, bottom, right = (int(arguments[side]) for side in ("top", "left", "bottom", "right"))
    shape = (-(-bottom // scale) - top // scale, -(-right // scale) - left // scale, image.bands)
    pixels = writable(arguments["memory"], shape)
    reduction = Reduction(image.bands, (top, left, bottom, right), scale) if scale > 1 else None
    for piece in _pieces(image, top, left, bottom, right):
        row, column = piece.row_off, piece.col_off
        if reduction is None:
            place = pixels[row - top : row - top + piece.height, column - left : column - left + piece.width]
        else:
            place = np.moveaxis(np.empty((image.bands, piece.height, piece.width), np.uint8), 0, -1)
        valid = _decode(image, piece, place, arguments["low"], arguments["high"])
        if reduction is not None:
            reduction.add(np.moveaxis(place, -1, 0), valid, row, column)
            valid = None
        yield Reply({"top": row, "left": column}, {} if valid is None else {"valid": valid})
    if reduction is not None:
        means, share = reduction.result()
        pixels[:] = np.moveaxis(means, 0, -1)
        yield Reply({"top": top, "left": left}, {"valid": share})


def _open(file: int, arguments: Mapping[str, Any]) -> _Image:
    status = os.fstat(file)
    page = int(arguments["page"])
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, page)
    image = _open_images.get(key)
    if image is not None:
        _open_images.move_to_end(key)
        return image
    place = f"/proc/self/fd/{file}" if os.path.exists("/proc/self/fd") else f"/dev/fd/{file}"  # noqa: PTH110
    if page > 1:
        place = f"GTIFF_DIR:{page}:{place}"
    try:
        driver = str(arguments["driver"])
        # Tiles and strips of one piece are decoded by two threads; PNG and JPEG have nothing to share out.
        threads = {"NUM_THREADS": _THREADS} if driver == "GTiff" else {}
        data = rasterio.open(place, driver=driver, sharing=False, **threads)
        image = _understand(data)
    except (RasterioError, OSError, ValueError) as error:
        raise _broken(error) from error
    _open_images[key] = image
    if len(_open_images) > _KEEP_OPEN:
        _, oldest = _open_images.popitem(last=False)
        oldest.dataset.close()
    return image


def _understand(data: Any) -> _Image:
    kinds = data.colorinterp
    alpha = next((i for i, kind in enumerate(kinds, start=1) if kind == ColorInterp.alpha), None)
    colours = tuple(band for band in range(1, data.count + 1) if band != alpha)
    if not colours:
        raise ValueError("an image of nothing but transparency")
    palette = None
    if kinds[0] == ColorInterp.palette and data.dtypes[0] == "uint8":
        palette = np.zeros((256, 3), np.uint8)
        for value, colour in data.colormap(1).items():
            palette[value] = colour[:3]
        colours = (1,)
    return _Image(data, colours, alpha, palette)


def _pieces(image: _Image, top: int, left: int, bottom: int, right: int) -> Iterator[Rectangle]:
    """Rectangles that cover the wanted one; cut where the file's blocks are cut, so that each is decoded once."""
    data = image.dataset
    tall, wide = data.block_shapes[0]
    # How many bytes a pixel has when read, all its bands counted.
    pixel = sum(np.dtype(data.dtypes[band - 1]).itemsize for band in image.colours)
    first_row, first_column = top // tall * tall, left // wide * wide
    columns = min(max(wide, _PIECE_BYTES // (pixel * tall) // wide * wide), right - first_column)
    rows = max(tall, _PIECE_BYTES // (pixel * columns) // tall * tall)
    for row in range(first_row, bottom, rows):
        for column in range(first_column, right, columns):
            begin_row, begin_column = max(row, top), max(column, left)
            width, height = min(column + columns, right) - begin_column, min(row + rows, bottom) - begin_row
            yield Rectangle(begin_column, begin_row, width, height)


def _decode(
    image: _Image, piece: Rectangle, place: NDArray[np.uint8], low: float | None, high: float | None
) -> NDArray[np.bool_] | None:
    """Write a piece as bytes to its place (rows, columns, bands); where it shows something, None = everywhere."""
    as_it_is = image.palette is None and low is None
    target = np.moveaxis(place, -1, 0) if as_it_is else None
    try:
        values = image.dataset.read(list(image.colours), window=piece, out=target)
        valid = _valid(image, piece, values)
    except (RasterioError, OSError, ValueError) as error:
        raise _broken(error) from error
    if image.palette is not None:
        place[:] = image.palette[values[0]]
    elif low is not None and high is not None:
        place[:] = np.moveaxis(to_bytes(values, low, high), 0, -1)
    return valid


def _valid(image: _Image, piece: Rectangle, values: NDArray[Any]) -> NDArray[np.bool_] | None:
    data = image.dataset
    shown: NDArray[np.bool_] | None = None
    if image.alpha is not None:
        shown = data.read(image.alpha, window=piece) > 0
    elif MaskFlags.per_dataset in data.mask_flag_enums[0]:
        shown = data.read_masks(1, window=piece) > 0
    elif data.nodata is not None and not np.isnan(data.nodata):
        shown = (values != data.nodata).any(axis=0)
    if values.dtype.kind == "f":
        number = np.isfinite(values).all(axis=0)
        shown = number if shown is None else shown & number
    return shown


def to_bytes(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Scale values so that `low` becomes 0 and `high` 255; what lies outside is clipped, what is no number is 0."""
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        steps = np.arange(1 << (8 * values.dtype.itemsize), dtype=np.float64)
        table = np.clip((steps - low) * (255 / (high - low)) + 0.5, 0, 255).astype(np.uint8)
        looked_up: NDArray[np.uint8] = table[values]
        return looked_up
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low)) + np.float32(0.5)
    numbers: NDArray[np.float32] = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
    clipped: NDArray[np.uint8] = np.clip(numbers, 0, 255).astype(np.uint8)
    return clipped


def _broken(error: Exception) -> InputError:
    cause = (str(error.__cause__ or error).splitlines() or [""])[0][:300]
    # The name is the child's own for the open file; the parent names the file.
    return InputError(
        "broken image", got=cause.replace("/proc/self/fd/", "file "), remedy="send it again", code="broken-image"
    )
