"""The parts of a service on one machine, as the supervisor runs them."""

import json
import shutil
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from services.settings import PREFIX, Settings
from services.supervisor import Part


def parts() -> tuple[Part, ...]:
    """Every part, in the order they start: the pages first, because Ray takes longest."""
    return (
        Part("api", ("api",)),
        Part("watch", ("watch",)),
        Part("housekeep", ("housekeep",)),
        Part("serve", ("serve",), stop_s=45),
    )


def prepare_home(settings: Settings) -> None:
    """Make the folders, and empty the one where processes share metrics: dead ones would be counted for ever."""
    settings.make_folders()
    shutil.rmtree(settings.metrics_dir, ignore_errors=True)
    settings.metrics_dir.mkdir(mode=0o700)


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for processes that load them again; and where they share metrics."""
    return {"PROMETHEUS_MULTIPROC_DIR": str(settings.metrics_dir)} | {
        f"{PREFIX}{name.upper()}": _text(getattr(settings, name))
        for name in settings.model_fields_set
        if getattr(settings, name) is not None
    }


def _text(value: Any) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case bool():
            return "true" if value else "false"
        case tuple() | list():
            return json.dumps(list(value))
        case dict():
            return json.dumps(value)
        case Path():
            return str(value)
    return str(value)
