"""Plain data from YAML files, checked into frozen models; the error names the first wrong key."""

import reprlib
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
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"cannot read {what}", where=str(path), expected="a YAML file in UTF-8", got=str(error)
        ) from error
    return parse_yaml(text, what=what, where=str(path))


def parse_yaml(text: str, *, what: str, where: str, code: str = "") -> Any:
    """Plain data from YAML text of whatever origin.

    Raises:
        ConfigurationError: it is not YAML, or nested deeper than anybody writes by hand.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # Besides its own errors, the library lets through what a value raises: `2026-02-31`, `!!int x`, `[[[[…`.
        raise ConfigurationError(f"{what}: not YAML", where=where, got=str(error), code=code) from error


def checked(model: type[Model], content: Any, *, what: str, where: str, remedy: str, code: str = "") -> Model:
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
            got=_brief(first["input"]),
            remedy=remedy,
            code=code,
        ) from error


def _brief(value: object) -> str:
    """The beginning of a value: aliases make one of a few lines that is endless when written out."""
    shown = reprlib.Repr()
    shown.maxlevel, shown.maxstring, shown.maxother = 2, 80, 80
    return shown.repr(value)[:80]
