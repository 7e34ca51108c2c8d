"""What was seen lately: the lots, products, steps, tools and labels a person may want to filter by."""

from collections.abc import Mapping

from sqlalchemy import select

from services.records.session import ReadSession
from services.records.tables import InspectionRow

_RECENT = 500
_NAMES = ("label", "lot", "product", "step", "tool")


def recent_values(session: ReadSession) -> Mapping[str, tuple[str, ...]]:
    """Values of the newest inspections by what they are values of, in alphabetical order."""
    columns = [getattr(InspectionRow, name) for name in _NAMES]
    rows = session.execute(select(*columns).order_by(InspectionRow.recorded_at.desc()).limit(_RECENT)).all()
    return {name: tuple(sorted({row[k] for row in rows if row[k]})) for k, name in enumerate(_NAMES)}
