"""The routing: one reviewed file that says which bundle judges which capture.

    routes:                              # names of bundles: where each comes from
      champion: {alias: champion}        # of the installation's model in the registry; followed while it runs
      memory: {model: memory, alias: champion}
      candidate: {alias: challenger}
    rules:                               # the first that fits a capture decides
      - name: memory
        when: {product: [DRAM-*, NAND-*], step: ETCH*}
        route: memory
      - name: all
        route: champion
        canary: {route: candidate, share: 0.05, tools: [SP5-02]}
        shadow: {route: candidate}

A file without `rules` sends everything to the installation's own route. Patterns are those of a shell.
"""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from models.domain.capture import Capture, CaptureKind
from models.domain.errors import ConfigurationError
from models.yaml_file import checked, read_yaml

ROUTE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
"""Of the name of a route, or of the digest of a bundle, which is a route to itself."""
Name = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", description="Letters, digits, dots, - and _.")
]
Share = Annotated[float, Field(gt=0, le=1, description="Part of the captures, drawn by the hash of the capture.")]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Patterns = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
"""One shell pattern or several; one of them must fit."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(_Part):
    """Where the bundle of a route comes from: an alias in the registry, a folder, or one fixed bundle.

    Attributes:
        model: registered model of the alias; the installation's own if it is not given.
        alias: followed while the service runs.
        folder: of a bundle, for hosts without a registry.
        digest: of a bundle installed before: this one and no other.
        version: the registry's number of that bundle, for people.
    """

    model: str | None = None
    alias: str | None = None
    folder: Path | None = None
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    version: str = "0"

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum(part is not None for part in (self.alias, self.folder, self.digest)) != 1:
            raise ValueError("a route needs one of alias, folder or digest")
        return self


class When(_Part):
    """Which captures a rule is for; what is not given does not matter, and what a file does not say fits no pattern."""

    product: Patterns | None = None
    step: Patterns | None = None
    tool: Patterns | None = None
    kind: CaptureKind | None = None

    def fits(self, capture: Capture) -> bool:
        """Whether a capture is meant."""
        if self.kind is not None and capture.kind is not self.kind:
            return False
        origin = capture.provenance
        asked = ((self.product, origin.product), (self.step, origin.step), (self.tool, origin.tool))
        return all(patterns is None or _fits(value, patterns) for patterns, value in asked)


def _fits(value: str | None, patterns: tuple[str, ...]) -> bool:
    return value is not None and any(fnmatchcase(value, pattern) for pattern in patterns)


class Canary(_Part):
    """Another bundle that judges some of a rule's captures for good: a share of them, all of some tools, or both."""

    route: Name
    share: Share | None = None
    tools: Patterns | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.share is None and self.tools is None:
            raise ValueError("a canary needs a share or tools")
        return self

    def is_of(self, tool: str | None) -> bool:
        """Whether all captures of a tool go here."""
        return self.tools is not None and _fits(tool, self.tools)


class Shadow(_Part):
    """A challenger that judges a rule's captures after they were judged; nobody acts on what it says."""

    route: Name
    share: Share = 1.0


class Rule(_Part):
    """Captures that fit go along a route."""

    name: Name
    when: When = When()
    route: Name
    canary: Canary | None = None
    shadow: Shadow | None = None


class Guard(_Part):
    """When a new bundle is taken back without asking.

    Attributes:
        false_rollback: chance that a bundle no worse than the one it would replace is taken back, for a release over
            its whole trial, for a canary in each day of it.
        watch_releases: also compare a released champion with the champion before it.
    """

    false_rollback: Annotated[float, Field(gt=0, le=0.2)] = 0.01
    watch_releases: bool = False


class Routing(_Part):
    """All of it; frozen, and kept in the database version by version."""

    format: Literal[1] = 1
    routes: dict[Name, Source] = {}
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]
    guard: Guard = Guard()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError("rules repeat a name")
        if self.rules[-1].when != When():
            raise ValueError("the last rule must fit every capture: leave its `when` out")
        for rule in self.rules:
            used = [rule.route, *(part.route for part in (rule.canary, rule.shadow) if part is not None)]
            if strangers := [route for route in used if route not in self.routes]:
                raise ValueError(f"rule {rule.name} names route {strangers[0]}, which `routes` does not")
            if rule.canary is not None and rule.canary.route == rule.route:
                raise ValueError(f"rule {rule.name} has its own route as canary")
        return self

    def rule_for(self, capture: Capture) -> Rule:
        """The first rule that fits; the last one fits every capture."""
        return next(rule for rule in self.rules if rule.when.fits(capture))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            ConfigurationError: says which key is wrong.
        """
        return cls.parse(read_yaml(path, "routing"), str(path))

    @classmethod
    def parse(cls, content: Any, where: str) -> Self:
        """Check plain data.

        Raises:
            ConfigurationError: says which key is wrong.
        """
        remedy = "correct it; 'waferwatch route schema' prints what a routing may hold"
        return checked(cls, content, what="routing", where=where, remedy=remedy)

    @classmethod
    def plain(cls, route: str, source: Source) -> Self:
        """Everything along one route: what holds where nobody applied a routing."""
        return cls(routes={route: source}, rules=(Rule(name="all", route=route),))

    def without_canary(self, rule_name: str) -> Self:
        """The same with the canary of one rule taken back."""
        rules = (rule.model_copy(update={"canary": None}) if rule.name == rule_name else rule for rule in self.rules)
        return self.model_copy(update={"rules": tuple(rules)})

    def pinned(self, route: str, digest: str, version: str) -> Self:
        """The same with one route held at one bundle.

        Raises:
            ConfigurationError: there is no such route.
        """
        if route not in self.routes:
            raise ConfigurationError("no such route", where=route, expected=" | ".join(self.routes))
        fixed = Source(digest=digest, version=version)
        return self.model_copy(update={"routes": {**self.routes, route: fixed}})
