"""The registry as people look at it: versions with their figures and what the gate said, and who is champion."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.bundle import BundleManifest
from models.domain.errors import InputError
from models.manifest import CARD
from pipelines.mlflow_store import mlflow_client
from pipelines.release import CHALLENGER, PREVIOUS, answering, fetch_file, manifest_of, version_of

_MOST = 100


@dataclass(frozen=True, slots=True)
class Version:
    """One registered bundle.

    Attributes:
        number: the registry's, '1', '2' and so on.
        digest: of the bundle.
        data_fingerprint: of the dataset it was trained on.
        registered_at: when, UTC.
        aliases: it holds now.
        gate: 'passed', 'forced', 'refused', or '' for versions somebody else registered.
        reasons: what spoke against it.
        against: version it was compared with; None = there was none.
        against_figures: that version's figures on the same data.
        figures: its own short figures.
    """

    number: str
    digest: str
    data_fingerprint: str
    registered_at: datetime
    aliases: tuple[str, ...]
    gate: str
    reasons: tuple[str, ...]
    against: str | None
    against_figures: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    """A version's manifest and card, fetched."""

    manifest: BundleManifest
    card: str


def versions(name: str, tracking_uri: str) -> tuple[Version, ...]:
    """The versions of a model, the newest first, at most a hundred; none if nothing was registered yet.

    Raises:
        RetryableError: MLflow does not answer.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - takes seconds, and few who import this ask

    client = mlflow_client(tracking_uri)
    with answering(tracking_uri):
        try:
            aliases = client.get_registered_model(name).aliases
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return ()
            raise
        found = client.search_model_versions(f"name='{name}'", max_results=_MOST)
    held: dict[str, list[str]] = {}
    for alias, number in aliases.items():
        held.setdefault(str(number), []).append(alias)
    told = [_version(one, tuple(sorted(held.get(str(one.version), ())))) for one in found]
    return tuple(sorted(told, key=lambda one: -int(one.number)))


def opened(name: str, number: str, tracking_uri: str) -> Opened:
    """What a version says of itself.

    Raises:
        RetryableError: MLflow does not answer.
        ConfigurationError: what lies there is no sound bundle.
    """
    client = mlflow_client(tracking_uri)
    with tempfile.TemporaryDirectory() as scratch, answering(tracking_uri):
        manifest = manifest_of(client, name, number, Path(scratch))
        card = fetch_file(client, name, number, CARD, Path(scratch)).read_text(encoding="utf-8", errors="replace")
    return Opened(manifest, card)


def promote(name: str, number: str, tracking_uri: str, *, alias: str, seen: str | None) -> None:
    """Give an alias to a version; whoever held it becomes `previous`.

    Args:
        name: registered model.
        number: the version.
        tracking_uri: of MLflow.
        alias: services follow it.
        seen: who held it when the person decided; None = nobody.

    Raises:
        InputError: there is no such version (`no-such-version`), it holds the alias already, or another one does than
            the person saw (`champion-changed`).
        RetryableError: MLflow does not answer.
    """
    client = mlflow_client(tracking_uri)
    with answering(tracking_uri):
        holder = version_of(client, name, alias)
        if holder != seen:
            raise InputError(
                "somebody else changed the model meanwhile", where=alias, expected=f"version {seen}",
                got=f"version {holder}", remedy="look at it again, then decide", code="champion-changed",
            )  # fmt: skip
        if holder == number:
            raise InputError(
                "it holds the alias already", where=alias, got=f"version {number}", code="champion-changed"
            )
        if not client.search_model_versions(f"name='{name}' and version_number={int(number)}"):
            raise InputError("no such version", where=f"model {name}", got=number, code="no-such-version")
        if holder is not None:
            client.set_registered_model_alias(name, PREVIOUS, holder)
        client.set_registered_model_alias(name, alias, number)
        if version_of(client, name, CHALLENGER) == number:
            client.delete_registered_model_alias(name, CHALLENGER)


def _version(found: Any, aliases: tuple[str, ...]) -> Version:
    tags: Mapping[str, str] = found.tags
    return Version(
        number=str(found.version),
        digest=tags.get("digest", ""),
        data_fingerprint=tags.get("data.fingerprint", ""),
        registered_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        aliases=aliases,
        gate=tags.get("gate", ""),
        reasons=tuple(one for one in tags.get("gate.reasons", "").split("; ") if one),
        against=tags.get("gate.against"),
        against_figures=_numbers(tags.get("gate.figures", "{}")),
        figures={key: float(value) for key, value in tags.items() if key.startswith("test.") and _is_number(value)},
    )


def _numbers(text: str) -> dict[str, float]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return {str(key): float(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
