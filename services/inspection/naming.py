"""Names for people: the spool calls files by their hashes, everybody else by the names they came with."""

from dataclasses import replace
from pathlib import Path

from models.domain.errors import InputError, RetryableError, WaferwatchError
from models.domain.inspection import Inspection


def named(inspection: Inspection, spooled: Path, file_name: str) -> Inspection:
    """The inspection with its capture, and what was odd in it, told of the file that came."""
    capture = inspection.capture
    return replace(
        inspection,
        capture=replace(capture, name=capture.name.replace(spooled.name, file_name)),
        warnings=tuple(replace(one, message=_told_of(one.message, spooled, file_name)) for one in inspection.warnings),
    )


def for_people(error: Exception, spooled: Path, file_name: str) -> Exception:
    """The error in terms of the file that came, and final where a second try could only read the same bytes."""
    if not isinstance(error, WaferwatchError):
        return error
    kind = type(error)
    if isinstance(error, RetryableError) and error.code == "truncated":
        kind = InputError  # the copy in the spool will never grow
    parts = error.complaint
    where = _told_of(parts.where, spooled, file_name)
    return kind(parts.what, where=where, expected=parts.expected, got=parts.got, remedy=parts.remedy, code=error.code)


def _told_of(text: str, spooled: Path, file_name: str) -> str:
    return text.replace(str(spooled), file_name).replace(spooled.name, file_name)
