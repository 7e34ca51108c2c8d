"""The bundle: a folder with everything a verdict needs, verified before use.

    bundle.json            manifest: recipe, labels, temperature, thresholds, data fingerprint, metrics, file hashes
    weights.safetensors    of the network
    reference.safetensors  reference embeddings, fitted novelty score, calibration (`models.reference`)
    card.md                the model card

Nothing in it is code or pickle, so opening a stranger's bundle runs nothing. This module needs no torch.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from models.domain.errors import ConfigurationError
from models.manifest import (
    CARD,
    MANIFEST,
    REFERENCE,
    WEIGHTS,
    BundleManifest,
    Thresholds,
    read_bundle_file,
    read_manifest,
    write_manifest,
)
from models.reference import Reference, reference_arrays, reference_from_arrays

__all__ = [
    "Bundle",
    "BundleManifest",
    "Thresholds",
    "change_thresholds",
    "load_bundle",
    "read_manifest",
    "register_version",
    "save_bundle",
]


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified bundle in memory; `weights` maps parameter names to arrays."""

    manifest: BundleManifest
    weights: Mapping[str, NDArray[np.generic]]
    reference: Reference


def save_bundle(
    directory: str | Path,
    manifest: BundleManifest,
    weights: Mapping[str, NDArray[np.generic]],
    reference: Reference,
    card: str = "",
) -> BundleManifest:
    """Write a bundle; the manifest comes last, so that an interrupted write is never taken for a bundle.

    Args:
        directory: made if it does not exist; files of an older bundle in it are replaced.
        manifest: `files` and `ref.digest` are ignored and computed here.
        weights: arrays by parameter name, see `models.network.weights_of`.
        reference: examples and novelty score.
        card: the model card, Markdown.

    Returns:
        The manifest as written.

    Raises:
        ConfigurationError: a metric is not finite.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / MANIFEST).unlink(missing_ok=True)
    contents = {
        WEIGHTS: safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in weights.items()}),
        REFERENCE: safetensors.numpy.save(reference_arrays(reference)),
        CARD: card.encode(),
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return write_manifest(directory, replace(manifest, files=files))


def load_bundle(directory: str | Path) -> Bundle:
    """Read and verify a whole bundle; each file is hashed and parsed from the same bytes.

    Raises:
        ConfigurationError: a file is missing, does not match its hash, or is not what it should be.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    contents = {name: _verified(directory / name, manifest.files[name]) for name in (WEIGHTS, REFERENCE, CARD)}
    return Bundle(
        manifest=manifest,
        weights=_tensors(contents[WEIGHTS], str(directory / WEIGHTS)),
        reference=reference_from_arrays(
            _tensors(contents[REFERENCE], str(directory / REFERENCE)), str(directory / REFERENCE)
        ),
    )


def change_thresholds(directory: str | Path, thresholds: Thresholds) -> BundleManifest:
    """Put other thresholds into a bundle without retraining; it gets a new digest, for its verdicts may differ.

    Who did it and why belongs in the caller's audit record.

    Raises:
        ConfigurationError: no bundle there, or the thresholds do not fit its labels.
    """
    return write_manifest(Path(directory), replace(read_manifest(directory), thresholds=thresholds))


def register_version(directory: str | Path, version: str) -> BundleManifest:
    """Note the registry's version in a bundle; the digest stays, for no verdict changes.

    Raises:
        ConfigurationError: no bundle there.
    """
    manifest = read_manifest(directory)
    return write_manifest(Path(directory), replace(manifest, ref=replace(manifest.ref, version=version)))


def _verified(path: Path, sha256: str) -> bytes:
    content = read_bundle_file(path)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ConfigurationError(
            "bundle file does not match its hash",
            where=str(path),
            expected=f"sha256 {sha256}",
            got=found,
            remedy="fetch the bundle again",
        )
    return content


def _tensors(content: bytes, where: str) -> dict[str, NDArray[np.generic]]:
    try:
        return dict(safetensors.numpy.load(content))
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise ConfigurationError(
            "not a safetensors file", where=where, got=str(error), remedy="write the bundle again"
        ) from error
