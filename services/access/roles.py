"""Roles: what somebody may do. A route names those it is for; everything else follows from this file.

viewer ⊂ operator ⊂ engineer ⊂ admin       people
ingest ⊂ operator                          tools that send files and ask what became of them
metrics ⊂ viewer                           Prometheus
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person has, and what a token is allowed (its scopes)."""

    INGEST = "ingest"
    """Send files, ask for their jobs. For tokens of tools."""
    METRICS = "metrics"
    """Read /metrics. For the token of a scraper."""
    VIEWER = "viewer"
    """Look at everything that was found; change nothing."""
    OPERATOR = "operator"
    """Work on alerts, silence what is known, send files, name patterns: the people of a shift."""
    ENGINEER = "engineer"
    """Change what the service does: releases, thresholds, routing; cancel files."""
    ADMIN = "admin"
    """Decide who may do what."""


_VIEWER = frozenset({Role.VIEWER, Role.METRICS})
_OPERATOR = _VIEWER | {Role.OPERATOR, Role.INGEST}
_ENGINEER = _OPERATOR | {Role.ENGINEER}
GRANTS = {
    Role.INGEST: frozenset({Role.INGEST}),
    Role.METRICS: frozenset({Role.METRICS}),
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.ENGINEER: _ENGINEER,
    Role.ADMIN: _ENGINEER | {Role.ADMIN},
}
"""What each role includes, itself among it."""
OF_PEOPLE = (Role.VIEWER, Role.OPERATOR, Role.ENGINEER, Role.ADMIN)
"""Roles a user can have, the weakest first."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        name: for the audit trail.
        grants: everything they may do.
        needs_login: False where everybody on this machine may do everything.
        user_id: the user behind it; None for tools and where no login is needed.
        login_id: the login a browser showed; None for tokens.
    """

    name: str
    grants: frozenset[Role]
    needs_login: bool = True
    user_id: int | None = None
    login_id: int | None = None

    def may(self, *any_of: Role) -> bool:
        """Whether one of these roles is theirs."""
        return not self.grants.isdisjoint(any_of)


EVERYBODY_HERE = Principal("local", GRANTS[Role.ADMIN], needs_login=False)
"""Who asks where only this machine can."""
