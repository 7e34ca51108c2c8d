"""Files in, patches out: the same code cuts for training and for serving."""

from pipelines.ingestion.captures import CaptureReader, DieReader, PointReader
from pipelines.ingestion.cutting import cut, read_windows
from pipelines.ingestion.describing import Description, describe, describe_capture
from pipelines.ingestion.formats.images import ValueRange
from pipelines.ingestion.formats.points import PointColumns
from pipelines.ingestion.formats.wafer_frame import ToolFrame
from pipelines.ingestion.georeferencing import to_wgs84
from pipelines.ingestion.limits import Limits
from pipelines.ingestion.opening import open_captures
from pipelines.ingestion.options import ReadOptions
from pipelines.ingestion.rendering import render_die_maps, render_dies, render_points
from pipelines.ingestion.sources import fetch
from pipelines.ingestion.wafer_maps import DieGrid, DieMap, PointMap
from pipelines.ingestion.write_back import judged_klarf

__all__ = [
    "CaptureReader",
    "Description",
    "DieGrid",
    "DieMap",
    "DieReader",
    "Limits",
    "PointColumns",
    "PointMap",
    "PointReader",
    "ReadOptions",
    "ToolFrame",
    "ValueRange",
    "cut",
    "describe",
    "describe_capture",
    "fetch",
    "judged_klarf",
    "open_captures",
    "read_windows",
    "render_die_maps",
    "render_dies",
    "render_points",
    "to_wgs84",
]
