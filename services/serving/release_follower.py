"""Follows the registry: what an alias points to is fetched, verified, installed, and only then put on its route."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from models.domain.errors import ConfigurationError, RetryableError
from pipelines.release import fetch_released, released_version
from services.routing.routing import Source
from services.serving.bundle_store import BundleStore
from services.settings import Settings

_log = logging.getLogger(__name__)


class ReleaseFollower:
    """Keeps every route of the routing at what its source says: an alias, a folder, or one fixed bundle."""

    def __init__(self, settings: Settings, store: BundleStore) -> None:
        """Nothing is asked yet."""
        self._settings = settings
        self._store = store
        self._seen: dict[str, tuple[Source, str]] = {}
        """By route: its source, and the version that was put on it."""

    def follow(self, routes: Mapping[str, Source]) -> tuple[str, ...]:
        """Look once at all routes; returns those that were turned.

        Raises:
            RetryableError: the registry does not answer, or holds no such alias yet: what the route meant stays.
            ConfigurationError: what it points to is no sound bundle: what the route meant stays.
            Either is raised when the other routes were looked at.
        """
        turned: list[str] = []
        failed: RetryableError | ConfigurationError | None = None
        for route, source in routes.items():
            try:
                if self._follow(route, source):
                    turned.append(route)
            except (RetryableError, ConfigurationError) as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return tuple(turned)

    def _follow(self, route: str, source: Source) -> bool:
        known, version = self._seen.get(route, (None, ""))
        if source.alias is None:
            if known == source:
                return False
            if source.folder is not None:
                ref = self._store.install(source.folder).ref
                return self._turn(route, source, ref.digest, ref.version)
            assert source.digest is not None
            return self._turn(route, source, source.digest, source.version)
        model, uri = source.model or self._settings.model_name, self._settings.mlflow_uri
        newest = released_version(model, source.alias, uri)
        if known == source and version == newest:
            return False
        with tempfile.TemporaryDirectory(dir=self._settings.home) as scratch:
            fetched = fetch_released(model, source.alias, uri, Path(scratch))
            return self._turn(route, source, self._store.install(fetched).ref.digest, newest)

    def _turn(self, route: str, source: Source, digest: str, version: str) -> bool:
        self._store.activate(route, digest, version)
        _log.info("route %s is version %s, bundle %s", route, version, digest[:12])
        self._seen[route] = (source, version)
        return True
