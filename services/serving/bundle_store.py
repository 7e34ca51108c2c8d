"""The bundles of one installation, by content: `<folder>/<digest>/`, and which of them each route uses.

A route is a name that jobs carry (`champion`); `<folder>/<route>.json` says which digest it means now. Both are
written whole or not at all, so replicas read them at any time without a lock, and Ray keeps no state of record.
"""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from models.bundle import load_bundle
from models.domain.errors import ConfigurationError, RetryableError
from models.domain.inspection import BundleRef
from models.manifest import BundleManifest, read_manifest
from services.routing.trials import Stint

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Route:
    """What a route means now: the bundle's manifest and where its files are."""

    name: str
    manifest: BundleManifest
    folder: Path


class BundleStore:
    """Installs bundles and points routes at them."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, made if need be; all machines that serve must see the same one or install the same bundles."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._manifests: dict[str, BundleManifest] = {}

    def install(self, source: Path) -> BundleManifest:
        """Copy a verified bundle in; installing it again changes nothing.

        Raises:
            ConfigurationError: the bundle is damaged or not a bundle.
        """
        manifest = load_bundle(source).manifest
        target = self._folder / manifest.ref.digest
        if not target.exists():
            partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=self._folder))
            try:
                shutil.copytree(source, partial, dirs_exist_ok=True)
                load_bundle(partial)
                partial.rename(target)
            except OSError:
                if not target.exists():  # another process may have installed the same bytes first
                    raise
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return manifest

    def activate(self, route: str, digest: str, version: str) -> None:
        """Let a route mean this installed bundle from now on; `version` is the registry's number for it.

        Raises:
            ConfigurationError: no such bundle is installed.
        """
        read_manifest(self.folder_of(digest))
        handle, partial = tempfile.mkstemp(prefix=".partial-", dir=self._folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"digest": digest, "version": version}, file)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).rename(self._pointer(route))

    def resolve(self, route: str) -> Route:
        """What a route means now; a digest is a route to itself.

        Raises:
            RetryableError: nothing was released to this route yet.
            ConfigurationError: the bundle it names is not installed, or the name leads out of the folder.
        """
        if Path(route).name != route or "\0" in route or len(route) > _LONGEST_NAME:
            raise ConfigurationError("not the name of a route", got=route[:80], expected="no path")
        if (self._folder / route / "bundle.json").is_file():
            return Route(route, self._manifest(route), self._folder / route)
        try:
            pointer = json.loads(self._pointer(route).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RetryableError(
                "no bundle released",
                where=f"route {route}",
                remedy="release one with 'waferwatch release BUNDLE' or set WAFERWATCH_BUNDLE to a bundle's folder",
                code="no-bundle",
            ) from None
        folder = self.folder_of(pointer["digest"])
        manifest = self._manifest(pointer["digest"])
        ref = BundleRef(manifest.ref.name, pointer["version"], manifest.ref.digest)
        return Route(route, replace(manifest, ref=ref), folder)

    def on_routes(self) -> tuple[str, ...]:
        """Digests of the installed bundles that routes mean now."""
        pointers = sorted(self._folder.glob("*.json"))
        digests = dict.fromkeys(json.loads(pointer.read_text(encoding="utf-8"))["digest"] for pointer in pointers)
        return tuple(digest for digest in digests if (self._folder / digest / "bundle.json").is_file())

    def stint(self, route: str) -> Stint:
        """The bundle a route means now, in few words; raises as `resolve` does."""
        ref = self.resolve(route).manifest.ref
        return Stint(route, ref.digest, ref.version)

    def folder_of(self, digest: str) -> Path:
        """Where an installed bundle lies.

        Raises:
            ConfigurationError: it is not installed.
        """
        folder = self._folder / digest
        if not (folder / "bundle.json").is_file():
            raise ConfigurationError("bundle is not installed", where=str(folder), remedy="release it again")
        return folder

    def _manifest(self, digest: str) -> BundleManifest:
        """Read and checked once: what lies under a digest never changes."""
        if digest not in self._manifests:
            self._manifests[digest] = read_manifest(self._folder / digest)
        return self._manifests[digest]

    def _pointer(self, route: str) -> Path:
        return self._folder / f"{route}.json"
