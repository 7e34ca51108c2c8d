"""The manifest of a bundle: what it says of itself, as `bundle.json`. Needs no torch.

A process that only reads manifests (API, dashboard, command line) stays light.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.domain.errors import ConfigurationError
from models.domain.inspection import BundleRef
from models.domain.verdict import Labels
from models.recipe import Recipe

MANIFEST = "bundle.json"
WEIGHTS = "weights.safetensors"
REFERENCE = "reference.safetensors"
CARD = "card.md"
MANIFEST_LIMIT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on a label is refused.

    Attributes:
        confidence: a probability below it is `UNSURE`; 0..1.
        novelty: a novelty above it is `NOVEL`; infinity = never.
        novelty_by_class: the same for windows whose likeliest class is named here.
    """

    confidence: float
    novelty: float
    novelty_by_class: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            ConfigurationError: confidence is not a probability or a novelty threshold is not a number.
        """
        if not 0 <= self.confidence <= 1 or any(map(math.isnan, (self.novelty, *self.novelty_by_class.values()))):
            raise ConfigurationError(
                "bad thresholds", expected="0 <= confidence <= 1, novelty a number or infinity", got=str(self)
            )

    def novelty_for(self, label: str) -> float:
        """The novelty threshold for windows whose likeliest class is `label`."""
        return self.novelty_by_class.get(label, self.novelty)


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """What a bundle says of itself.

    Attributes:
        ref: name, registry version ('0' = never registered) and digest: the hash of all that can change a verdict.
        recipe: how it cuts, sees and judges.
        labels: what its outputs mean.
        temperature: logits of the merged belief are divided by it before they are called probabilities (Guo et al.,
            ICML 2017).
        thresholds: when it refuses a label.
        data_fingerprint: hash of the dataset it was trained on.
        metrics: figures of its evaluation, finite.
        view_cutoff: adaptive views stop where the first view's margin reaches it (`models.views`); None = all views.
        files: sha256 (hex) of each file beside the manifest.
    """

    ref: BundleRef
    recipe: Recipe
    labels: Labels
    temperature: float
    thresholds: Thresholds
    data_fingerprint: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    view_cutoff: float | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check once.

        Raises:
            ConfigurationError: temperature or cut-off out of range, or a threshold for a class that does not exist.
        """
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigurationError("bad temperature", expected="a positive number", got=str(self.temperature))
        if self.view_cutoff is not None and not (math.isfinite(self.view_cutoff) and self.view_cutoff >= 0):
            raise ConfigurationError("bad view cut-off", expected="0 or more, or none", got=str(self.view_cutoff))
        strangers = set(self.thresholds.novelty_by_class) - set(self.labels.names)
        if strangers:
            raise ConfigurationError(
                "threshold for an unknown class", expected=" | ".join(self.labels.names), got=", ".join(strangers)
            )


def read_manifest(directory: str | Path) -> BundleManifest:
    """Read what a bundle says of itself, without opening its weights.

    Raises:
        ConfigurationError: no bundle there, a key is wrong, or the digest does not match the content.
    """
    path = Path(directory) / MANIFEST
    content = read_bundle_file(path, MANIFEST_LIMIT_BYTES)
    manifest = _Document.parse(content, str(path)).manifest(str(path))
    # over the stored text, not over the parsed recipe: a default added to the recipe later must not change old bundles
    digest = _digest(json.loads(content))
    if manifest.ref.digest != digest:
        raise ConfigurationError(
            "bundle was changed after it was written",
            where=str(path),
            expected=f"digest {digest}",
            got=manifest.ref.digest,
            remedy="fetch the bundle again; change thresholds with change_thresholds",
        )
    return manifest


def write_manifest(directory: Path, manifest: BundleManifest) -> BundleManifest:
    """Write `bundle.json` in one step and return it with its digest; `manifest.ref.digest` is ignored.

    Raises:
        ConfigurationError: a metric is not finite or files are missing from `manifest.files`.
    """
    unsigned = json.loads(_Document.of(manifest).model_dump_json())
    complete = replace(manifest, ref=replace(manifest.ref, digest=_digest(unsigned)))
    _require_files(complete.files, str(directory))
    unfinished = directory / f"{MANIFEST}.part"
    unfinished.write_text(_Document.of(complete).model_dump_json(indent=2) + "\n", encoding="utf-8")
    unfinished.replace(directory / MANIFEST)
    return complete


def read_bundle_file(path: Path, limit_bytes: int | None = None) -> bytes:
    """Read one file of a bundle.

    Raises:
        ConfigurationError: it is missing, larger than the limit, or a link that leads out of the bundle's folder.
    """
    try:
        if path.resolve(strict=True).parent != path.parent.resolve(strict=True):
            raise ConfigurationError("bundle file leads out of its folder", where=str(path), got=str(path.resolve()))
        if limit_bytes is not None and path.stat().st_size > limit_bytes:
            raise ConfigurationError("bundle file is too large", where=str(path), expected=f"<= {limit_bytes} bytes")
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            "cannot read bundle",
            where=str(path),
            expected=f"a folder with {MANIFEST}, {WEIGHTS}, {REFERENCE} and {CARD}",
            got=error.strerror or str(error),
            remedy="train one with `waferwatch train` or fetch a released one",
        ) from error


def _digest(content: Mapping[str, Any]) -> str:
    """Hash over all that can change a verdict: recipe, labels, calibration, hashes of weights and reference.

    Name, version, metrics and card may change without making an inspection another inspection.
    """
    judged = {key: value for key, value in content.items() if key not in ("name", "version", "digest", "metrics")}
    judged["files"] = {name: sha256 for name, sha256 in content["files"].items() if name != CARD}
    return hashlib.sha256(json.dumps(judged, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _require_files(files: Mapping[str, str], where: str) -> None:
    if set(files) != {WEIGHTS, REFERENCE, CARD}:
        raise ConfigurationError(
            "bundle lacks files", where=where, expected=f"{WEIGHTS}, {REFERENCE}, {CARD}", got=", ".join(files)
        )


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class _Labels(_Part):
    names: tuple[str, ...]
    normal: str | None
    exclusive: bool


class _Thresholds(_Part):
    confidence: float
    novelty: float
    novelty_by_class: dict[str, float]


class _Document(_Part):
    """bundle.json. Only the three known file names are accepted, so no path in it can lead out of the folder."""

    format: Literal[1]
    name: str
    version: str
    digest: str
    recipe: Recipe
    labels: _Labels
    temperature: float
    thresholds: _Thresholds
    view_cutoff: float | None
    data_fingerprint: str
    metrics: dict[str, Annotated[float, Field(allow_inf_nan=False)]]
    files: dict[str, Sha256]

    @classmethod
    def parse(cls, content: bytes, where: str) -> "_Document":
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise _bad_manifest(error, where) from error

    @classmethod
    def of(cls, manifest: BundleManifest) -> "_Document":
        thresholds = manifest.thresholds
        content: dict[str, Any] = {
            "format": 1,
            "name": manifest.ref.name,
            "version": manifest.ref.version,
            "digest": manifest.ref.digest,
            "recipe": manifest.recipe,
            "labels": {
                "names": manifest.labels.names,
                "normal": manifest.labels.normal,
                "exclusive": manifest.labels.exclusive,
            },
            "temperature": manifest.temperature,
            "thresholds": {
                "confidence": thresholds.confidence,
                "novelty": thresholds.novelty,
                "novelty_by_class": dict(thresholds.novelty_by_class),
            },
            "view_cutoff": manifest.view_cutoff,
            "data_fingerprint": manifest.data_fingerprint,
            "metrics": dict(manifest.metrics),
            "files": dict(manifest.files),
        }
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise _bad_manifest(error, manifest.ref.name) from error

    def manifest(self, where: str) -> BundleManifest:
        _require_files(self.files, where)
        return BundleManifest(
            ref=BundleRef(self.name, self.version, self.digest),
            recipe=self.recipe,
            labels=Labels(self.labels.names, self.labels.normal, self.labels.exclusive),
            temperature=self.temperature,
            thresholds=Thresholds(**self.thresholds.model_dump()),
            data_fingerprint=self.data_fingerprint,
            metrics=self.metrics,
            view_cutoff=self.view_cutoff,
            files=dict(self.files),
        )


def _bad_manifest(error: ValidationError, where: str) -> ConfigurationError:
    first = error.errors(include_url=False)[0]
    return ConfigurationError(
        "bad bundle manifest",
        where=f"{where}: {'.'.join(str(part) for part in first['loc'])}",
        expected=first["msg"],
        got=repr(first["input"])[:80],
        remedy="fetch or write the bundle again",
    )
