"""The way of one capture through a routing: drawn from the capture's hash, so that every retry goes the same way."""

import hashlib
from dataclasses import dataclass, replace

from models.domain.capture import Capture
from services.routing.routing import Canary, Routing, Rule


@dataclass(frozen=True, slots=True)
class Lane:
    """Who judges a capture.

    Attributes:
        rule: that decided; '' if none did, because the job names a bundle or route itself.
        route: whose bundle judges.
        fallback: route that judges if the bundle of a canary cannot; None where `route` is no canary.
        shadow: route whose bundle judges afterwards, unseen; None = nobody.
    """

    rule: str
    route: str
    fallback: str | None = None
    shadow: str | None = None

    @property
    def is_canary(self) -> bool:
        """True if a new bundle is on trial here."""
        return self.fallback is not None

    def taken_back(self) -> "Lane":
        """The same without the canary: the rule's own route judges."""
        return self if self.fallback is None else replace(self, route=self.fallback, fallback=None)


def lane_of(routing: Routing, capture: Capture) -> Lane:
    """The lane of a capture: its rule's route, or that of the rule's canary, and who looks on."""
    rule = routing.rule_for(capture)
    canary, shadow = rule.canary, rule.shadow
    is_canary = canary is not None and _is_chosen(rule, canary, capture)
    route = canary.route if canary is not None and is_canary else rule.route
    follows = shadow is not None and shadow.route != route and drawn(capture, rule.name, "shadow") < shadow.share
    return Lane(
        rule=rule.name,
        route=route,
        fallback=rule.route if is_canary else None,
        shadow=shadow.route if shadow is not None and follows else None,
    )


def _is_chosen(rule: Rule, canary: Canary, capture: Capture) -> bool:
    return canary.is_of(capture.provenance.tool) or (
        canary.share is not None and drawn(capture, rule.name, canary.route) < canary.share
    )


def drawn(capture: Capture, *salt: str) -> float:
    """A number of [0, 1) that belongs to a capture; with other salt an independent one."""
    text = "\0".join((capture.id, *salt))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
