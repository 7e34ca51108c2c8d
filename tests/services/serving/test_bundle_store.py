"""Bundles by content, routes by name; nothing half-written is ever seen."""

from pathlib import Path

import pytest

from models.bundle import register_version
from models.domain.errors import ConfigurationError, RetryableError
from services.serving.bundle_store import BundleStore
from tests.services.conftest import MakeBundle


def test_an_installed_bundle_is_found_by_its_route_with_the_registrys_version(
    tmp_path: Path, make_bundle: MakeBundle
) -> None:
    written = make_bundle(tmp_path / "made", 0)
    store = BundleStore(tmp_path / "store")
    installed = store.install(tmp_path / "made")
    store.activate("champion", installed.ref.digest, "7")
    route = store.resolve("champion")
    assert installed.ref.digest == written.ref.digest
    assert route.manifest.ref.version == "7"
    assert route.manifest.labels.names == ("none", "ring", "scratch")
    assert (route.folder / "weights.safetensors").is_file()
    assert store.resolve(installed.ref.digest).folder == route.folder


def test_installing_twice_is_installing_once(tmp_path: Path, make_bundle: MakeBundle) -> None:
    make_bundle(tmp_path / "made", 0)
    store = BundleStore(tmp_path / "store")
    first = store.install(tmp_path / "made")
    register_version(tmp_path / "made", "3")
    assert store.install(tmp_path / "made").ref.digest == first.ref.digest
    assert [p.name for p in (tmp_path / "store").iterdir()] == [first.ref.digest]


def test_a_route_turns_at_once_and_keeps_the_old_bundle(tmp_path: Path, make_bundle: MakeBundle) -> None:
    store = BundleStore(tmp_path / "store")
    digests = []
    for seed in (0, 1):
        make_bundle(tmp_path / str(seed), seed)
        digests.append(store.install(tmp_path / str(seed)).ref.digest)
        store.activate("champion", digests[-1], str(seed + 1))
    assert digests[0] != digests[1]
    assert store.resolve("champion").manifest.ref.digest == digests[1]
    assert store.folder_of(digests[0]).is_dir()


def test_a_damaged_bundle_is_refused_and_leaves_nothing(tmp_path: Path, make_bundle: MakeBundle) -> None:
    make_bundle(tmp_path / "made", 0)
    weights = tmp_path / "made" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    store = BundleStore(tmp_path / "store")
    with pytest.raises(ConfigurationError, match="hash"):
        store.install(tmp_path / "made")
    assert not list((tmp_path / "store").iterdir())


def test_what_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    store = BundleStore(tmp_path / "store")
    with pytest.raises(RetryableError, match="waferwatch release"):
        store.resolve("champion")
    with pytest.raises(ConfigurationError, match="not installed"):
        store.activate("champion", "0" * 64, "1")
