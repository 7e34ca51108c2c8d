"""Small real bundles and wafers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models.manifest import BundleManifest
from pipelines.simulate import simulate
from tests.services.bundling import tiny_bundle

MakeBundle = Callable[..., BundleManifest]


@pytest.fixture(scope="session")
def make_bundle() -> MakeBundle:
    """Write a bundle into a folder; another seed makes another bundle."""
    return tiny_bundle


@pytest.fixture(scope="session")
def wafers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    truth = simulate(tmp_path_factory.mktemp("wafers"), 4, patterns=("Ring", "Normal"), defects=(100, 500))
    return list(truth.files)
