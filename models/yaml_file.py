"""Plain data from YAML files, checked into frozen models; the error names the first wrong key."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from models.domain.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path, what: str) -> Any:
    """The content of a YAML file.

    Args:
        path: of the file.
        what: it is, for the error: 'recipe'.

    Raises:
        ConfigurationError: no such file, or not YAML in UTF-8.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"cannot read {what}", where=str(path), expected="a YAML file in UTF-8", got=str(error)
        ) from error


def checked(model: type[Model], content: Any, *, what: str, where: str, remedy: str) -> Model:
    """Plain data as a model.

    Raises:
        ConfigurationError: names the first wrong key and counts the others.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        key = ".".join(str(part) for part in first["loc"])
        more = f"; {len(others)} more wrong" if others else ""
        raise ConfigurationError(
            f"bad {what}",
            where=f"{where}: {key}" if key else where,
            expected=first["msg"] + more,
            got=repr(first["input"])[:80],
            remedy=remedy,
        ) from error
