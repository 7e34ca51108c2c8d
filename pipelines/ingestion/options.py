"""What files do not say of themselves and an installation knows: how its tools write coordinates, what its tables mean.

    # reading.yaml
    tools:
      HYCPS04: {mirrored: true}               # tool id as its KLARF files name it
    points: {x: X_MM, y: Y_MM, unit_um: 1000}
    values: {low: 0, high: 4095}

It changes what a capture is, not how it is judged, so it is neither recipe nor settings: a file read with other options
gives captures with other ids (`ReadOptions.told`), and nothing that was recorded before changes its meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from models.domain.errors import ConfigurationError
from pipelines.ingestion.formats.found import FoundWafer
from pipelines.ingestion.formats.images import ValueRange
from pipelines.ingestion.formats.points import PointColumns
from pipelines.ingestion.formats.wafer_frame import ToolFrame
from pipelines.ingestion.sniffing import Format
from pipelines.ingestion.wafer_maps import PointMap

_TABLES = (Format.CSV, Format.PARQUET, Format.NPZ)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a file does not say of itself.

    Attributes:
        points: columns of tables of points.
        tools: tool id as KLARF files name it -> how it writes coordinates.
        values: the values of an image that become black and white.
        lenient: read KLARF files whose counts are wrong, with a warning for each, instead of refusing them.
        storage: options of fsspec for object stores, such as `endpoint_url`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    points: PointColumns = field(default_factory=PointColumns)
    tools: Mapping[str, ToolFrame] = field(default_factory=dict)
    values: ValueRange | None = None
    lenient: bool = False
    storage: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read them from a YAML file.

        Raises:
            ConfigurationError: no such file, not YAML, an unknown key or a value that cannot be; says which.
        """
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigurationError(
                "cannot read reading options", where=str(path), expected="a YAML file in UTF-8", got=str(error)
            ) from error
        try:
            return TypeAdapter(cls).validate_python(content or {})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(
                "bad reading options",
                where=f"{path}: {key}" if key else str(path),
                expected=first["msg"],
                got=repr(first["input"])[:80],
                remedy="deploy/reading.yaml shows what may stand there",
            ) from error

    def told(self, kind: Format, wafer: FoundWafer) -> str:
        """What these options say of one wafer that its file does not; '' where the file speaks for itself."""
        if kind is Format.KLARF:
            return _beyond_default(self.tools.get(wafer.provenance.tool or "", ToolFrame()))
        if kind in _TABLES and isinstance(wafer.content, PointMap):
            return _beyond_default(self.points)
        return ""


def _beyond_default(said: ToolFrame | PointColumns) -> str:
    return "" if said == type(said)() else repr(said)
