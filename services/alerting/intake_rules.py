"""Files that could not be inspected: a wafer nobody looked at must not go unseen."""

from models.domain.alert import Alert, Fingerprint
from models.domain.errors import Complaint
from services.alerting.rule_file import Rules
from services.alerting.rule_kinds import FileEvent

_TITLES = {
    FileEvent.QUARANTINE: "File in quarantine",
    FileEvent.DEAD: "Could not be inspected",
    FileEvent.REFUSED: "File not taken in",
}


def file_alert(
    rules: Rules, event: FileEvent, code: str, complaint: Complaint, *, file_name: str, subject: str
) -> Alert:
    """One alert per kind of fault, however many files have it.

    Args:
        rules: say how grave that is and what to do.
        event: what became of the file.
        code: kind of the fault.
        complaint: the fault.
        file_name: for people.
        subject: hash of the file, or of its arrival.
    """
    rule = rules.for_file(event)
    return Alert(
        fingerprint=Fingerprint(rule=rule.name, pattern=code),
        subject=subject,
        severity=rule.severity,
        title=f"{_TITLES[event]}: {file_name}: {complaint.what}",
        action=rule.action,
        quiet=rule.quiet,
    )
