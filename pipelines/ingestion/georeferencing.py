"""Where the pixels of a georeferenced image lie on Earth."""

import numpy as np
from numpy.typing import NDArray

from models.domain.capture import Georeference
from models.domain.errors import InputError

Line = NDArray[np.float64]


def to_wgs84(place: Georeference, *, columns: Line, rows: Line) -> tuple[Line, Line]:
    """Longitude and latitude in degrees (WGS 84) of places in an image.

    Args:
        place: of the image.
        columns: (N,), in pixels from the left edge.
        rows: (N,), in pixels from the top edge.

    Raises:
        InputError: the image names a coordinate reference system that does not exist.
    """
    import rasterio.warp  # noqa: PLC0415 - takes half a second, and few captures lie on Earth
    from rasterio.errors import RasterioError  # noqa: PLC0415

    a, b, c, d, e, f = place.transform
    x, y = a * columns + b * rows + c, d * columns + e * rows + f
    try:
        with rasterio.Env():
            longitude, latitude = rasterio.warp.transform(place.crs_wkt, "EPSG:4326", x.tolist(), y.tolist())
    except RasterioError as error:
        raise InputError(
            "cannot place the image on Earth", where="its coordinate reference system", got=str(error)[:200]
        ) from error
    return np.asarray(longitude, np.float64), np.asarray(latitude, np.float64)
