"""Rules about files that could not be inspected: a wafer nobody looked at must not go unseen."""

from datetime import datetime

from models.domain.alert import Alert, Fingerprint, Severity
from models.domain.errors import Complaint


def quarantine_alert(code: str, complaint: Complaint, file_name: str, at: datetime) -> Alert:
    """The input is wrong: one alert per kind of fault, however many files have it."""
    return Alert(
        fingerprint=Fingerprint(rule="quarantine", pattern=code),
        severity=Severity.WARNING,
        title=f"File in quarantine: {file_name}: {complaint.what}",
        action="See the reason on the quarantine page; have a good file sent, or retry the job.",
        inspection_id=None,
        raised_at=at,
    )


def dead_alert(code: str, complaint: Complaint, file_name: str, at: datetime) -> Alert:
    """Every try failed: the fault is more likely ours than the file's, so other files may be waiting, too."""
    return Alert(
        fingerprint=Fingerprint(rule="dead", pattern=code),
        severity=Severity.CRITICAL,
        title=f"Could not be inspected: {file_name}: {complaint.what}",
        action="Inspect this wafer by other means; find the cause in the workers' logs, then retry the job.",
        inspection_id=None,
        raised_at=at,
    )


def refused_alert(code: str, complaint: Complaint, file_name: str, at: datetime) -> Alert:
    """A file in the watch folder could not even be taken in."""
    return Alert(
        fingerprint=Fingerprint(rule="refused", pattern=code),
        severity=Severity.WARNING,
        title=f"File not taken in: {file_name}: {complaint.what}",
        action="Look at the file in the watch folder: it is still there.",
        inspection_id=None,
        raised_at=at,
    )
