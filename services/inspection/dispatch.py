"""Who judges each capture of a try: the routing as the try finds it, each route's bundle looked up once."""

from models.domain.capture import Capture
from models.domain.errors import ConfigurationError, InputError, RetryableError
from services.inspection.judging import PatchClassifier
from services.inspection.outage import Classifiers, Outage, guarded
from services.inspection.progress import Stopping
from services.jobs import Lease, LostLease
from services.routing.history import CurrentRouting
from services.routing.lane import Lane, lane_of

BUNDLES_TROUBLE = ("no-bundle", "classifier-unavailable")
"""Outages that another bundle may not have: one was never released, or one takes its replicas down."""


class Dispatch:
    """Lanes and classifiers of one try."""

    def __init__(self, classifiers: Classifiers, routing: CurrentRouting | None, lease: Lease) -> None:
        """Read the routing, if this job goes by rule; others name their bundle or route themselves.

        Raises:
            RetryableError: the database is away.
        """
        self._classifiers = classifiers
        self._lease = lease
        self._routing = routing() if routing is not None and routing.route == lease.route else None
        self._found: dict[str, PatchClassifier] = {}

    def lane(self, capture: Capture) -> Lane:
        """The lane of a capture. A canary gets one try: a wafer must not wait because a bundle is on trial."""
        if self._routing is None:
            return Lane("", self._lease.route)
        lane = lane_of(self._routing, capture)
        return lane if self._lease.fence == 1 else lane.taken_back()

    def classifier(self, route: str) -> PatchClassifier:
        """The classifier of a route, the same for all captures of the try.

        Raises:
            Outage: there is none, or its bundle is not sound.
        """
        if route not in self._found:
            self._found[route] = guarded(self._classifiers, route)
        return self._found[route]

    def digest_of(self, route: str) -> str | None:
        """Of the bundle that judges along a route; None if there is none."""
        return self._found[route].manifest.ref.digest if route in self._found else None


def is_bundles_fault(error: Exception) -> bool:
    """Whether it may be the bundle that cannot judge the capture, rather than the file or something that is down."""
    if isinstance(error, Outage):
        return isinstance(error.cause, ConfigurationError) or error.cause.code in BUNDLES_TROUBLE
    if isinstance(error, InputError):
        return error.code == "wrong-bundle"
    return not isinstance(error, LostLease | Stopping | RetryableError)
