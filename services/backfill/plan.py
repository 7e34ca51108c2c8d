"""What a backfill does, fixed before it begins and kept beside its results: the files, their shards, the bundle.

A shard is the unit of work, of resuming and of the output: its Parquet file is written whole, so a shard whose file is
there is done, and a backfill that was killed goes on with the others.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from models.domain.errors import ConfigurationError, InputError
from pipelines.ingestion.sources import SCHEMES
from services.settings import Settings

PLAN = "_backfill.json"
"""Readers of Parquet folders pass over names that begin so."""
SHARD_FILES = 256
"""Files of a shard: minutes of work, and a Parquet file of a sensible size."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A backfill.

    Attributes:
        files: paths or URIs, in order.
        bundle: folder of the bundle that judges.
        digest: its content.
        out: folder of the results.
        reading: file of reading options, if there is one.
        records: the installation in which results are recorded as well; None = nowhere.
    """

    files: tuple[str, ...]
    bundle: Path
    digest: str
    out: Path
    reading: Path | None = None
    records: Settings | None = None

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-len(self.files) // SHARD_FILES)

    def shard(self, number: int) -> tuple[str, ...]:
        """The files of a shard."""
        return self.files[number * SHARD_FILES : (number + 1) * SHARD_FILES]

    def result(self, number: int) -> Path:
        """Where the results of a shard go."""
        return self.out / f"part-{number:06d}.parquet"

    @property
    def left(self) -> tuple[int, ...]:
        """Shards without results."""
        return tuple(number for number in range(self.shards) if not self.result(number).exists())


def make_plan(
    source: str,
    bundle: Path,
    out: Path,
    *,
    digest: str,
    reading: Path | None = None,
    storage: Mapping[str, Any] | None = None,
    records: Settings | None = None,
) -> Plan:
    """Plan a backfill, or take up the one that `out` holds.

    Args:
        source: a file, or a folder whose files are taken with those of all folders below; path or URI.
        bundle: folder of the bundle that judges.
        out: folder of the results, made if need be.
        digest: of the bundle's content.
        reading: file of reading options.
        storage: options of fsspec for object stores.
        records: the installation in which results are recorded as well; None = nowhere.

    Raises:
        InputError: there is no file.
        ConfigurationError: `out` holds another backfill, or the object store's package is not installed.
    """
    files = tuple(_listed(source, storage or {}))
    if not files:
        raise InputError("nothing to inspect", where=source, expected="files", code="no-such-file")
    told = None if reading is None else hashlib.sha256(reading.read_bytes()).hexdigest()
    identity = {"digest": digest, "files": _hash(files), "shard_files": SHARD_FILES, "reading": told}
    identity["recorded"] = None if records is None else str(records.home)
    out.mkdir(parents=True, exist_ok=True)
    path = out / PLAN
    if path.exists() and json.loads(path.read_text(encoding="utf-8"))["identity"] != identity:
        raise ConfigurationError(
            "folder of another backfill",
            where=str(path),
            expected="the same files, bundle, reading options and installation",
            remedy="choose another folder: results of two bundles must not mix",
        )
    path.write_text(json.dumps({"source": source, "count": len(files), "identity": identity}, indent=1))
    return Plan(files, bundle.absolute(), digest, out.absolute(), reading and reading.absolute(), records)


def _listed(source: str, storage: Mapping[str, Any]) -> list[str]:
    scheme, separator, _ = source.partition("://")
    if not separator:
        path = Path(source)
        found = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        return sorted(str(one.absolute()) for one in found)
    if scheme not in SCHEMES:
        raise InputError("cannot read from there", where=source, expected=" | ".join(f"{one}://" for one in SCHEMES))
    try:
        store, path_there = fsspec.core.url_to_fs(source, **storage)
        return sorted(store.unstrip_protocol(one) for one in store.find(path_there))
    except (ImportError, ValueError) as error:
        raise ConfigurationError("cannot speak to this object store", where=source, got=str(error)) from error
    except OSError as error:
        raise InputError("cannot list files", where=source, got=str(error), code="no-such-file") from error


def _hash(files: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(files).encode()).hexdigest()
