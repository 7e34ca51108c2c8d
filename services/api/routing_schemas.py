"""What the API answers about routings and shadows."""

from datetime import datetime

from pydantic import Field

from models.domain.inspection import BundleRef
from services.api.schemas import Answer, Asked, BundleAnswer
from services.records.route_tables import ShadowOutcome
from services.records.shadows import RouteCount, ShadowCount, ShadowLook
from services.routing.history import RoutingChange
from services.routing.routing import Routing


def _bundle(ref: BundleRef) -> BundleAnswer:
    return BundleAnswer(name=ref.name, version=ref.version, digest=ref.digest)


class BundleOnRoute(Answer):
    """The bundle that a route means now."""

    route: str = Field(examples=["champion"])
    bundle: BundleAnswer | None
    missing: str | None = Field(None, description="Why there is none.")

    @classmethod
    def of(cls, route: str, ref: BundleRef) -> "BundleOnRoute":
        """A route that has one."""
        return cls(route=route, bundle=_bundle(ref))


class RoutingAnswer(Answer):
    """The routing in force."""

    number: int = Field(description="0 = nobody applied one: everything goes along the installation's own route.")
    applied_at: datetime | None
    applied_by: str | None
    note: str
    routing: Routing
    bundles: list[BundleOnRoute]


class RoutingOrder(Asked):
    """A routing that shall hold."""

    routing: Routing
    note: str = Field(min_length=1, max_length=2000, description="Why; kept in the history.")
    after: int | None = Field(None, ge=0, description="Number of the one you saw: nobody else's change is lost.")


class RoutingChangeAnswer(Answer):
    """A routing somebody put into force."""

    number: int
    at: datetime
    actor: str
    note: str
    routing: Routing

    @classmethod
    def of(cls, change: RoutingChange) -> "RoutingChangeAnswer":
        """From the history."""
        return cls(number=change.number, at=change.at, actor=change.actor, note=change.note, routing=change.routing)


class RouteCountAnswer(Answer):
    """What a bundle made of the captures that a rule sent along a route."""

    rule: str
    route: str
    bundle: BundleAnswer
    captures: int
    novel: int = Field(description="Refused a label because they resemble nothing known.")
    unknown: int = Field(description="Refused a label for whatever reason.")
    failed: int = Field(description="The bundle could not judge them.")
    first_at: datetime
    last_at: datetime

    @classmethod
    def of(cls, count: RouteCount) -> "RouteCountAnswer":
        """From the view."""
        return cls(
            rule=count.rule, route=count.route, bundle=_bundle(count.bundle), captures=count.captures,
            novel=count.novel, unknown=count.unknown, failed=count.failed, first_at=count.first_at,
            last_at=count.last_at,
        )  # fmt: skip


class WindowDifferenceAnswer(Answer):
    """A window that two bundles label differently."""

    n: int
    champion: str
    challenger: str


class ShadowLookAnswer(Answer):
    """A challenger's look at a capture, beside what was stated."""

    id: int
    inspection: str = Field(description="The inspection that counts.")
    capture: str = Field(description="What people call the capture.")
    route: str = Field(description="Of the challenger.")
    outcome: ShadowOutcome
    asked_at: datetime
    judged_at: datetime | None
    champion: BundleAnswer
    champion_label: str | None
    challenger: BundleAnswer | None
    challenger_label: str | None
    challenger_confidence: float | None
    challenger_novelty: float | None
    windows: int | None
    windows_differing: int | None
    differences: list[WindowDifferenceAnswer]
    error_code: str | None

    @classmethod
    def of(cls, look: ShadowLook) -> "ShadowLookAnswer":
        """From the view."""
        return cls(
            id=look.id, inspection=look.inspection_id, capture=look.capture.name, route=look.route,
            outcome=look.outcome, asked_at=look.asked_at, judged_at=look.judged_at, champion=_bundle(look.champion),
            champion_label=look.champion_label,
            challenger=None if look.challenger is None else _bundle(look.challenger),
            challenger_label=look.challenger_label, challenger_confidence=look.challenger_confidence,
            challenger_novelty=look.challenger_novelty, windows=look.windows,
            windows_differing=look.windows_differing,
            differences=[
                WindowDifferenceAnswer(n=one.n, champion=one.champion, challenger=one.challenger)
                for one in look.differences
            ],
            error_code=look.error_code,
        )  # fmt: skip


class WordsAnswer(Answer):
    """How often a champion's word on a capture met a challenger's."""

    champion: str
    challenger: str
    captures: int


class ShadowCountAnswer(Answer):
    """How often a challenger agreed with a champion."""

    route: str
    champion: BundleAnswer
    outcomes: dict[ShadowOutcome, int]
    disagreement: float | None = Field(description="Share of the answered looks that disagreed; null without any.")
    words: list[WordsAnswer]

    @classmethod
    def of(cls, count: ShadowCount) -> "ShadowCountAnswer":
        """From the view; the most frequent words first."""
        ordered = sorted(count.words.items(), key=lambda item: (-item[1], item[0]))
        return cls(
            route=count.route,
            champion=_bundle(count.champion),
            outcomes=dict(count.outcomes),
            disagreement=count.disagreement,
            words=[WordsAnswer(champion=one, challenger=other, captures=n) for (one, other), n in ordered],
        )
