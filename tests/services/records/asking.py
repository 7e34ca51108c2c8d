"""Everything pages and API list, as questions to a database that `filling` has filled."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy import text

from models.domain.alert import AlertState
from services.access import tokens, users
from services.records import clusters, labelling, labels, opinions, overview, quality, queries
from services.records.bad_actors import bad_actors
from services.records.journal import journal
from services.records.labelling import Queue
from services.records.places import recent_values
from services.records.quality import Span
from services.records.queries import InspectionFilter
from services.records.rates import rates
from services.records.session import ReadSession, now
from services.records.silences import active_silences, silences
from services.records.tables import JobState

Question = Callable[[ReadSession], object]


def _inspections(**which: str | bool) -> Question:
    return lambda session: queries.inspections(session, which=InspectionFilter(**which))  # type: ignore[arg-type]


def _second_page(session: ReadSession) -> object:
    first = queries.inspections(session, which=InspectionFilter(tool="T3"))
    assert first.next is not None
    return queries.inspections(session, which=InspectionFilter(tool="T3"), after=first.next)


def _more_labels(session: ReadSession) -> object:
    first = labels.labels(session)
    assert first.next is not None
    return labels.labels(session, after=first.next)


def _some_inspection(session: ReadSession) -> str:
    return str(session.scalar(text("SELECT id FROM inspection ORDER BY recorded_at LIMIT 1 OFFSET 500")))


def _day(session: ReadSession) -> Span:
    return Span(now(session) - timedelta(days=1), now(session))


LISTS: Mapping[str, Question] = {
    "inspections": _inspections(),
    "inspections of a lot": _inspections(lot="LOT9"),
    "inspections of no lot": _inspections(lot="nowhere"),
    "inspections of a tool": _inspections(tool="T3"),
    "inspections of a tool, second page": _second_page,
    "inspections of a tool long gone": _inspections(tool="RETIRED"),
    "inspections of no tool": _inspections(tool="nowhere"),
    "inspections of a product": _inspections(product="P3"),
    "inspections of a step": _inspections(step="STEP3"),
    "inspections of a product and a step": _inspections(product="P3", step="STEP3"),
    "inspections with a label": _inspections(label="Scratch"),
    "inspections with a label long gone": _inspections(label="Comet"),
    "inspections with a label and a tool": _inspections(label="Scratch", tool="T1"),
    "inspections refused a label": _inspections(unknown=True),
    "inspections given a label": _inspections(unknown=False),
    "an inspection": lambda session: queries.inspection(session, _some_inspection(session)),
    "gravest windows": lambda session: queries.gravest(session, _some_inspection(session), limit=50),
    "alerts": queries.alerts,
    "alerts of every state": lambda session: queries.alerts(session, states=list(AlertState)),
    "an alert": lambda session: queries.alert(session, 7),
    "quarantine": queries.quarantine,
    "queued jobs": lambda session: queries.jobs(session, states=[JobState.QUEUED]),
    "dead jobs": lambda session: queries.jobs(session, states=[JobState.DEAD]),
    "all jobs": lambda session: queries.jobs(session, states=list(JobState)),
    "a job": lambda session: queries.job(session, 7),
    "deeds of a day": lambda session: quality.deeds(session, _day(session)),
    "alerts of a day": lambda session: quality.alerts_of_span(session, _day(session)),
    "unnamed": labels.unnamed,
    "label queue": lambda session: labelling.queue(session, Queue.UNCERTAIN, reader="ada"),
    "second opinions": lambda session: labelling.queue(session, Queue.SECOND, reader="ada"),
    "disputed labels": lambda session: labelling.queue(session, Queue.DISPUTED, reader="ada"),
    "values to filter by": recent_values,
    "opinions": opinions.opinions,
    "labels": labels.labels,
    "how many wait for a label": lambda session: labelling.lengths(session, "ada"),
    "labels, second page": _more_labels,
    "agreements": opinions.agreements,
    "classes named": opinions.classes,
    "names in use": labels.names_in_use,
    "clusters": clusters.clusters,
    "a cluster": lambda session: clusters.cluster(session, 7),
    "silences": lambda session: silences(session, since=_day(session).since),
    "silences that hold": lambda session: active_silences(session, now(session)),
    "bad actors of a week": lambda session: bad_actors(session, now(session) - timedelta(days=7)),
    "users": lambda session: users.users(session, limit=100),
    "tokens": lambda session: tokens.tokens(session, limit=100),
    "journal": journal,
    "journal of a day": lambda session: journal(session, over=_day(session)),
    "promotions": lambda session: journal(session, deed="promoted", limit=20),
    "tiles of a day": lambda session: overview.day(session, since=_day(session).since),
    "patterns of a day": lambda session: quality.shares(session, _day(session), InspectionFilter()),
    "trend of a day": lambda session: quality.intervals(session, _day(session), timedelta(hours=1), InspectionFilter()),
    "rates of two hours": lambda session: rates(
        session, Span(now(session) - timedelta(hours=2), now(session)), timedelta(minutes=5)
    ),
    "marks": overview.marks,
    "health": queries.health,
}
"""Each is asked for by a page or by the API, and must not grow with the years."""
