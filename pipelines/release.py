"""Release a bundle to the MLflow registry, and fetch a released one back into a folder.

The registry is the source of truth for who is champion; the service lives on the folder it fetched, so a dead registry
never stops an inspection. What lies in the registry are plain files: the bundle, and a description that lets MLflow
load it (`pipelines.released_model`). No pickle anywhere.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.bundle import BundleManifest, load_bundle, register_version
from models.domain.errors import ConfigurationError, RetryableError
from models.manifest import MANIFEST, read_manifest
from pipelines.mlflow_store import experiment_id, mlflow_client, unavailable
from pipelines.registered import BUNDLE, lay_out, track_inputs
from pipelines.release_gate import FALSE_ALARM_BUDGET, GateResult, gate

EXPERIMENT = "waferwatch-releases"
PREVIOUS = "previous"
"""Alias of the champion before this one: `roll_back` returns to it."""
CHALLENGER = "challenger"
"""Alias of the last bundle the gate refused."""
_GATE = "gate"
_TAG_CHARACTERS = 4000
"""MLflow refuses longer values of tags."""
Remeasure = Callable[[Path], Mapping[str, float]]
"""Figures of the bundle in a folder, by the names of `BundleManifest.metrics`."""


@dataclass(frozen=True, slots=True)
class Release:
    """A registered bundle.

    Attributes:
        name: of the model in the registry.
        version: it got; its run holds the gate's report and the bundle's.
        alias: it holds now.
        digest: of the bundle.
        gate: what the comparison with the champion said.
    """

    name: str
    version: str
    alias: str
    digest: str
    gate: GateResult


def release(
    bundle_dir: str | Path,
    tracking_uri: str,
    alias: str = "champion",
    *,
    name: str | None = None,
    force: bool = False,
    propose: bool = False,
    remeasure: Remeasure | None = None,
    false_alarms: float = FALSE_ALARM_BUDGET,
) -> Release:
    """Register a bundle and give it an alias, unless it is worse than the one that holds it.

    A refused bundle is registered all the same, with alias `challenger`, so that it can be looked at.

    Args:
        bundle_dir: the bundle; verified first.
        tracking_uri: of MLflow.
        alias: services follow it.
        name: registered model; the recipe's name by default.
        force: release although the gate refuses; noted in the registry.
        propose: only register it as challenger, with what the gate says: a person promotes it (`registry.promote`).
        remeasure: measures the holder of the alias on the data the new bundle was measured on, where those differ.
        false_alarms: share of normal patches that may be called defective.

    Raises:
        ConfigurationError: the bundle is damaged, or the gate refuses it (says why).
        RetryableError: MLflow does not answer.
    """
    manifest = load_bundle(bundle_dir).manifest
    name = name or manifest.ref.name
    client = mlflow_client(tracking_uri)
    with answering(tracking_uri):
        holder = version_of(client, name, alias)
        champion = _champion(client, name, holder, manifest, remeasure)
        result = gate(manifest, champion, holder, false_alarms=false_alarms)
        wins = not propose and (result.passed or force)
        version = _register(client, name, Path(bundle_dir), result, tracking_uri)
        notes = {"gate": "passed" if result.passed else "forced" if force and wins else "refused"}
        if result.reasons:
            notes["gate.reasons"] = "; ".join(result.reasons)[:_TAG_CHARACTERS]
        if champion is not None:
            notes |= {"gate.against": str(holder), "gate.figures": json.dumps(compared_figures(champion.metrics))}
        for key, value in notes.items():
            client.set_model_version_tag(name, version, key, value)
        if wins and holder is not None:
            client.set_registered_model_alias(name, PREVIOUS, holder)
        client.set_registered_model_alias(name, alias if wins else CHALLENGER, version)
    if propose:
        return Release(name, version, CHALLENGER, manifest.ref.digest, result)
    if not wins:
        raise ConfigurationError(
            "the gate refuses this bundle",
            where=f"{name} version {version}, now '{CHALLENGER}'",
            expected=f"false alarms within {false_alarms:.1%}, and no step back from version {holder or 'none'}",
            got="; ".join(result.reasons),
            remedy="improve it, or force the release",
            code="gate-refused",
        )
    return Release(name, version, alias, manifest.ref.digest, result)


def roll_back(name: str, tracking_uri: str, alias: str = "champion") -> str:
    """Give the alias back to the version that held it before; the two change places. Returns that version.

    Raises:
        ConfigurationError: there is nothing to return to.
        RetryableError: MLflow does not answer.
    """
    client = mlflow_client(tracking_uri)
    with answering(tracking_uri):
        before, now = version_of(client, name, PREVIOUS), version_of(client, name, alias)
        if before is None or now is None:
            raise ConfigurationError("nothing to return to", where=f"model {name}", expected=f"an alias '{PREVIOUS}'")
        client.set_registered_model_alias(name, alias, before)
        client.set_registered_model_alias(name, PREVIOUS, now)
    return before


def released_version(name: str, alias: str, tracking_uri: str) -> str:
    """The version that holds the alias; cheap enough to ask every second.

    Raises:
        RetryableError: MLflow does not answer, or no version holds the alias yet.
    """
    client = mlflow_client(tracking_uri)
    with answering(tracking_uri):
        version = version_of(client, name, alias)
    if version is None:
        raise RetryableError(
            "no model is released yet",
            where=tracking_uri,
            expected=f"a version of '{name}' with alias '{alias}'",
            remedy="release one with `waferwatch release`",
        )
    return version


def fetch_released(name: str, alias: str, tracking_uri: str, into: str | Path) -> Path:
    """Fetch what the alias points to into `into`/NAME-VERSION, verified; nothing is fetched twice.

    Args:
        name: registered model.
        alias: such as `champion`.
        tracking_uri: of MLflow.
        into: folder for fetched bundles.

    Returns:
        The folder of the bundle; its manifest carries the registry's version.

    Raises:
        RetryableError: MLflow does not answer, or no version holds the alias yet.
        ConfigurationError: what was fetched is not what was registered.
    """
    version = released_version(name, alias, tracking_uri)
    target = Path(into) / f"{name}-{version}"
    if (target / MANIFEST).exists():
        return target
    client = mlflow_client(tracking_uri)
    Path(into).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into, prefix=".fetching-") as scratch:
        with answering(tracking_uri):
            found = _download(client, name, version, Path(scratch))
            digest = client.get_model_version(name, version).tags.get("digest")
        manifest = load_bundle(found).manifest
        if manifest.ref.digest != digest:
            raise ConfigurationError(
                "fetched bundle is not the registered one",
                where=f"{name} version {version}",
                expected=f"digest {digest}",
                got=manifest.ref.digest,
                remedy="register it again",
            )
        register_version(found, version)
        try:
            found.rename(target)
        except OSError:
            # Another process was faster; its copy was verified the same way.
            if not (target / MANIFEST).exists():
                raise
    return target


def _register(client: Any, name: str, bundle_dir: Path, result: GateResult, tracking_uri: str) -> str:
    """Upload the bundle as a new version of the model, the gate's report and its own beside it; returns the version."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    run = client.create_run(experiment_id(client, tracking_uri, EXPERIMENT), run_name=f"release {name}")
    run_id = str(run.info.run_id)
    manifest = read_manifest(bundle_dir)
    with tempfile.TemporaryDirectory() as scratch:
        lay_out(Path(scratch), bundle_dir, manifest)
        client.log_artifacts(run_id, scratch, "model")
    client.log_text(run_id, result.markdown(), f"{_GATE}.md")
    client.log_text(run_id, result.to_json(), f"{_GATE}.json")
    if (bundle_dir / "report").is_dir():
        client.log_artifacts(run_id, str(bundle_dir / "report"), "report")
    track_inputs(
        client,
        run_id,
        manifest.recipe,
        data_name="training data",
        fingerprint=manifest.data_fingerprint,
        source=f"dataset {manifest.data_fingerprint}",
    )
    client.set_terminated(run_id)
    tags = {"digest": manifest.ref.digest, "data.fingerprint": manifest.data_fingerprint}
    tags |= {key: f"{value:.4f}" for key, value in manifest.metrics.items() if key.count(".") == 1}
    source = f"{run.info.artifact_uri}/model"
    return str(client.create_model_version(name, source, run_id, tags=tags).version)


def _champion(
    client: Any, name: str, version: str | None, challenger: BundleManifest, remeasure: Remeasure | None
) -> BundleManifest | None:
    """The manifest of a version, with figures on the challenger's data if they can be had."""
    if version is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        found = manifest_of(client, name, version, Path(scratch))
        if remeasure is None or found.data_fingerprint == challenger.data_fingerprint:
            return found
        figures = remeasure(_download(client, name, version, Path(scratch)))
        return replace(found, metrics=figures, data_fingerprint=challenger.data_fingerprint)


def manifest_of(client: Any, name: str, version: str, scratch: Path) -> BundleManifest:
    """The manifest of a version; only this small file is fetched."""
    return read_manifest(_download(client, name, version, scratch, only=MANIFEST))


def fetch_file(client: Any, name: str, version: str, file: str, scratch: Path) -> Path:
    """One file of a version's bundle, downloaded into `scratch`."""
    return _download(client, name, version, scratch, only=file) / file


def compared_figures(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those figures of a bundle that the gate looks at and a person wants to see beside each other."""
    kept = {f"test.{one}" for one in ("macro_f1", "normal_false_alarms", "missed", "refused", "open_set.auroc")}
    return {
        key: round(value, 4)
        for key, value in sorted(metrics.items())
        if key in kept or key.startswith(("test.recall.", "test.support."))
    }


def _download(client: Any, name: str, version: str, into: Path, only: str | None = None) -> Path:
    """Download a version's bundle (or one file of it); returns its folder.

    Raises:
        ConfigurationError: somebody else registered something else under this name.
    """
    from mlflow.artifacts import download_artifacts, list_artifacts  # noqa: PLC0415

    uri = client.get_model_version_download_uri(name, version)
    there = [Path(one.path).name for one in list_artifacts(artifact_uri=uri, tracking_uri=client.tracking_uri)]
    if BUNDLE not in there:
        raise ConfigurationError(
            "no bundle of ours",
            where=f"{name} version {version}",
            expected=f"a folder '{BUNDLE}', as `waferwatch release` registers it",
            got=", ".join(there) or "nothing",
            remedy="give the alias back with `waferwatch roll-back`, or release a bundle",
        )
    path = f"{uri}/{BUNDLE}" + (f"/{only}" if only else "")
    got = Path(download_artifacts(artifact_uri=path, dst_path=str(into), tracking_uri=client.tracking_uri))
    return got if only is None else got.parent


def version_of(client: Any, name: str, alias: str) -> str | None:
    """The version that holds an alias; None if nobody does."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        return str(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as error:
        # Both "no such model" and "no such alias" mean that nobody holds it.
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


@contextmanager
def answering(tracking_uri: str) -> Iterator[None]:
    """Errors of MLflow's own become ours: try again later."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise unavailable(tracking_uri, error) from error
