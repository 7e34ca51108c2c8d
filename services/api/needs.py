"""Which role a route needs, said where the route is.

    @routes.post("/{alert_id}/comments")
    @needs(Role.OPERATOR)
    def comment(...): ...

A route that says nothing is for viewers if it only reads (GET), and for admins if it changes something: forgetting to
say it opens nothing. `open_to_all` is for the few that must answer before anybody logged in.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path

from services.access.roles import Role

_ATTRIBUTE = "waferwatch_needs"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
EVERYBODY: frozenset[Role] = frozenset()
"""What routes need that are open to all."""
ANY_ROLE = frozenset(Role)
"""What an address needs that leads nowhere: outsiders do not learn which addresses exist."""

Handler = TypeVar("Handler", bound=Callable[..., Any])


def needs(*any_of: Role) -> Callable[[Handler], Handler]:
    """A route for whoever has one of these roles; stronger roles include weaker ones (`services.access.roles`)."""

    def mark(handler: Handler) -> Handler:
        setattr(handler, _ATTRIBUTE, frozenset(any_of))
        return handler

    return mark


def open_to_all(handler: Handler) -> Handler:
    """A route that answers everybody, also before a login."""
    setattr(handler, _ATTRIBUTE, EVERYBODY)
    return handler


def stated_needs(handler: Callable[..., Any] | None) -> frozenset[Role] | None:
    """What a handler says it needs; None if it says nothing."""
    found: frozenset[Role] | None = getattr(handler, _ATTRIBUTE, None)
    return found


@dataclass(frozen=True, slots=True)
class Guarded:
    """One route as the door sees it."""

    path: str
    methods: frozenset[str]
    needs: frozenset[Role]


class Doors:
    """What every address of an app needs; looked up before a request's body is read."""

    def __init__(self, routes: Iterable[BaseRoute], open_prefix: str = "/static/") -> None:
        """Read the routes once, in the order in which they are tried.

        Args:
            routes: of the app, all of them.
            open_prefix: style and scripts: public with the source code, and the login page needs them.
        """
        self._open_prefix = open_prefix
        self.guarded = tuple(_guarded(list(routes)))
        self._patterns = tuple((compile_path(one.path)[0], one) for one in self.guarded)

    def needs_at(self, path: str, method: str) -> frozenset[Role]:
        """The roles of which one opens this address; none of them if everybody may pass."""
        if path.startswith(self._open_prefix):
            return EVERYBODY
        for pattern, one in self._patterns:
            if method in one.methods and pattern.match(path):
                return one.needs
        return ANY_ROLE


def _guarded(routes: list[BaseRoute]) -> Iterable[Guarded]:
    for one in iter_route_contexts(routes):
        if one.path is None or not one.methods:
            continue  # the mount of static files
        methods = frozenset(one.methods)
        stated = stated_needs(one.endpoint)
        default = Role.VIEWER if methods <= _READING else Role.ADMIN
        yield Guarded(one.path, methods, frozenset({default}) if stated is None else stated)
