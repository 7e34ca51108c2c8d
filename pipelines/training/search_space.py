"""What a search may change in a recipe: dotted names of keys, each with a range or a choice.

training.lr:      {low: 1.0e-4, high: 1.0e-2, log: true}
network.dropout:  {low: 0.0, high: 0.5}
training.batch:   {choices: [32, 64, 128]}
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from optuna.trial import Trial
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

from models.domain.errors import ConfigurationError
from models.recipe import Recipe


class Range(BaseModel):
    """Numbers from low to high, both included; whole numbers if both are. `log` tries orders of magnitude evenly."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError("needs low < high, and low > 0 where log is true")
        return self

    def suggest(self, trial: Trial, name: str) -> Any:
        """One value, proposed by the study."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def value(self, kept: Any) -> Any:
        """The value of what the study keeps."""
        return kept


class Choice(BaseModel):
    """One of some values, of any kind a recipe knows; the study keeps them as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choices: Annotated[tuple[Any, ...], Field(min_length=2)]

    def suggest(self, trial: Trial, name: str) -> Any:
        """One value, proposed by the study."""
        return self.value(trial.suggest_categorical(name, [json.dumps(value) for value in self.choices]))

    def value(self, kept: Any) -> Any:
        """The value of what the study keeps."""
        return json.loads(kept)


class Space(RootModel[Annotated[dict[str, Range | Choice], Field(min_length=1)]]):
    """Dotted names of a recipe's keys, and what may stand there."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a space from YAML.

        Raises:
            ConfigurationError: no such file, not YAML, or not a space; says which key.
        """
        try:
            return cls.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigurationError("cannot read search space", where=str(path), got=str(error)) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise ConfigurationError(
                "bad search space",
                where=f"{path}: {'.'.join(str(part) for part in first['loc'])}",
                expected="{low: …, high: …, log: …} or {choices: […]} for each dotted key of a recipe",
                got=first["msg"],
            ) from error

    def check(self, recipe: Recipe) -> None:
        """Whether every name is a key of the recipe.

        Raises:
            ConfigurationError: one is not.
        """
        content = recipe.model_dump(mode="json")
        for name in self.root:
            section: Any = content
            for part in name.split("."):
                if not isinstance(section, Mapping) or part not in section:
                    raise ConfigurationError("no such key in the recipe", where=f"search space: {name}", got=part)
                section = section[part]

    def suggest(self, trial: Trial, recipe: Recipe) -> Recipe:
        """The recipe with values the study proposes.

        Raises:
            ConfigurationError: they make no recipe.
        """
        return _with(recipe, {name: what.suggest(trial, name) for name, what in self.root.items()})

    def applied(self, kept: Mapping[str, Any], recipe: Recipe) -> Recipe:
        """The recipe with the values of a trial."""
        return _with(recipe, self.values(kept))

    def values(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """The values of what the study keeps of a trial."""
        return {name: self.root[name].value(value) for name, value in kept.items()}


def _with(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    content = recipe.model_dump(mode="json")
    for name, value in values.items():
        *sections, key = name.split(".")
        section = content
        for part in sections:
            section = section[part]
        section[key] = value
    return Recipe.parse(content, where="search")
