"""Follows the registry: what the alias points to is fetched, verified, installed, and only then put on the route."""

import logging
import tempfile
from pathlib import Path

from pipelines.release import fetch_released, released_version
from services.serving.bundle_store import BundleStore
from services.settings import Settings

_log = logging.getLogger(__name__)


class ReleaseFollower:
    """Keeps the route named `settings.bundle` at what the registry's alias of that name points to.

    A folder in place of an alias is installed once, for hosts without a registry.
    """

    def __init__(self, settings: Settings, store: BundleStore) -> None:
        """Nothing is asked yet."""
        self._settings = settings
        self._store = store
        self._version: str | None = None

    def follow(self) -> bool:
        """Look once; True if the route was turned.

        Raises:
            RetryableError: the registry does not answer, or holds no such alias yet: what the route meant stays.
            ConfigurationError: what it points to is no sound bundle: what the route meant stays.
        """
        settings = self._settings
        folder = Path(settings.bundle)
        if folder.is_dir():
            return self._turn(folder, None)
        version = released_version(settings.model_name, settings.bundle, settings.mlflow_uri)
        if version == self._version:
            return False
        with tempfile.TemporaryDirectory(dir=settings.home) as scratch:
            fetched = fetch_released(settings.model_name, settings.bundle, settings.mlflow_uri, Path(scratch))
            return self._turn(fetched, version)

    def _turn(self, folder: Path, version: str | None) -> bool:
        if version is None and self._version is not None:
            return False
        manifest = self._store.install(folder)
        version = version or manifest.ref.version
        self._store.activate(self._settings.route, manifest.ref.digest, version)
        _log.info("route %s is %s version %s", self._settings.route, manifest.ref.name, version)
        self._version = version
        return True
