"""GET and PUT /thresholds: what refuses a label, what other thresholds would do, and putting them into force."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from models.bundle import Bundle, load_bundle
from models.domain.inspection import BundleRef
from models.effect import BUDGETS, Effect, effect_of, thresholds_for
from models.manifest import Thresholds
from services.access.roles import Role
from services.api.needs import needs
from services.api.routing import route_at
from services.api.schemas import PREFIX, Answer, Asked, BundleAnswer
from services.api.wiring import Caller, Wired, Wiring
from services.routing.routing import ROUTE_PATTERN
from services.routing.thresholds import ThresholdOrder, change

RouteName = Annotated[
    str | None, Query(pattern=ROUTE_PATTERN, description="A route or a digest. Default: the installation's own.")
]
_MISSING: dict[int | str, dict[str, str]] = {404: {"description": "No such route."}}
routes = APIRouter(prefix=f"{PREFIX}/thresholds", tags=["thresholds"])


class ThresholdsAnswer(Answer):
    """From where on a label is refused; null = never."""

    confidence: float = Field(description="A probability below it is unsure.", examples=[0.5])
    novelty: float | None = Field(description="A novelty above it is novel.", examples=[18.2])
    novelty_by_class: dict[str, float | None] = Field(description="The same for windows whose likeliest class it is.")

    @classmethod
    def of(cls, thresholds: Thresholds) -> "ThresholdsAnswer":
        """From a bundle."""
        by_class = {name: _finite(value) for name, value in thresholds.novelty_by_class.items()}
        return cls(confidence=thresholds.confidence, novelty=_finite(thresholds.novelty), novelty_by_class=by_class)


class EffectAnswer(Answer):
    """What thresholds do to the held-out known windows the bundle remembers."""

    budget: float | None = Field(description="Share of the known promised to be called novel at most.")
    thresholds: ThresholdsAnswer
    refused: float = Field(description="Share refused a label.", examples=[0.023])
    novel: float = Field(description="Share refused as novel.", examples=[0.019])
    error: float | None = Field(
        description="Of those that keep their label, the share whose label is wrong; null with several labels a window."
    )
    refused_by_class: dict[str, float]
    windows: int

    @classmethod
    def of(cls, thresholds: Thresholds, effect: Effect, budget: float | None = None) -> "EffectAnswer":
        """From a preview."""
        return cls(
            budget=budget, thresholds=ThresholdsAnswer.of(thresholds), refused=effect.refused, novel=effect.novel,
            error=effect.error, refused_by_class=dict(effect.refused_by_class), windows=effect.windows,
        )  # fmt: skip


class RouteThresholdsAnswer(Answer):
    """Thresholds in force on a route, and what others would do."""

    route: str
    bundle: BundleAnswer
    now: EffectAnswer
    choices: list[EffectAnswer] = Field(description="The usual budgets.")


class ThresholdChange(Asked):
    """Thresholds that shall hold: a budget or a novelty threshold, a confidence threshold, or both."""

    model_config = ConfigDict(allow_inf_nan=False)

    budget: float | None = Field(None, gt=0, lt=1, examples=[0.01])
    novelty: float | None = None
    confidence: float | None = Field(None, ge=0, le=1)
    reason: str = Field(min_length=1, max_length=2000, description="Why; kept in the journal.")
    after: str = Field(description="Digest of the bundle you looked at: nobody else's change is lost.")


@dataclass(frozen=True, slots=True)
class Held:
    """A route with the bundle it means now."""

    route: str
    ref: BundleRef
    bundle: Bundle

    def effect(self, thresholds: Thresholds, budget: float | None = None) -> EffectAnswer:
        """What thresholds would do."""
        names = self.bundle.manifest.labels.names
        return EffectAnswer.of(thresholds, effect_of(thresholds, self.bundle.reference.calibration, names), budget)

    def choices(self) -> list[EffectAnswer]:
        """The usual budgets."""
        bundle = self.bundle
        return [self.effect(thresholds_for(one, bundle.manifest, bundle.reference.yardstick), one) for one in BUDGETS]


def held(wired: Wiring, route: str | None) -> Held:
    """What is on a route; None = the installation's own.

    Raises:
        NotFoundError: there is no such route.
        RetryableError: nothing was released to it yet.
    """
    found = route_at(wired, route or wired.settings.route)
    return Held(found.name, found.manifest.ref, load_bundle(found.folder))


@routes.get("", responses=_MISSING)
def thresholds(wired: Wired, route: RouteName = None) -> RouteThresholdsAnswer:
    """The thresholds in force, and the rejection rate against the error for the usual budgets."""
    found = held(wired, route)
    ref = found.ref
    return RouteThresholdsAnswer(
        route=found.route,
        bundle=BundleAnswer(name=ref.name, version=ref.version, digest=ref.digest),
        now=found.effect(found.bundle.manifest.thresholds),
        choices=found.choices(),
    )


@routes.get("/effect", responses=_MISSING)
def effect(
    wired: Wired,
    route: RouteName = None,
    budget: Annotated[float | None, Query(gt=0, lt=1)] = None,
    novelty: float | None = None,
    confidence: Annotated[float | None, Query(ge=0, le=1)] = None,
) -> EffectAnswer:
    """What other thresholds would do; nothing is changed."""
    found = held(wired, route)
    order = ThresholdOrder(budget, novelty, confidence)
    return found.effect(order.thresholds(found.bundle), budget)


@routes.put("", responses=_MISSING)
@needs(Role.ENGINEER)
def put_into_force(
    order: ThresholdChange, wired: Wired, caller: Caller, route: RouteName = None
) -> RouteThresholdsAnswer:
    """Put other thresholds into force, without training; who, why, before and after go into the journal."""
    name = route_at(wired, route or wired.settings.route).name
    change(
        wired.settings, wired.database, ThresholdOrder(order.budget, order.novelty, order.confidence),
        route=name, actor=caller.name, reason=order.reason, after=order.after,
    )  # fmt: skip
    return thresholds(wired, route)


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
