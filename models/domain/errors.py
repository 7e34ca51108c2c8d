"""Errors named for what the caller should do.

    WaferwatchError
    ├── InputError           reject: the input will never be readable as it is → quarantine, exit 2
    │   └── UnsafeInputError reject: the input asks for more than the limits allow, or reaches out of its place
    ├── ConfigurationError   do not start: a setting, recipe or bundle is wrong → exit 2
    └── RetryableError       try again later: something outside is down or not yet complete

Every message is one line that says what, where, expected, got and what to do.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Complaint:
    """The parts of an error message; empty parts are left out."""

    what: str
    where: str = ""
    expected: str = ""
    got: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        """One line: `what: where; expected …; got …; remedy`."""
        parts = [
            f"{self.what}: {self.where}" if self.where else self.what,
            f"expected {self.expected}" if self.expected else "",
            f"got {self.got}" if self.got else "",
            self.remedy,
        ]
        return " ".join("; ".join(part for part in parts if part).split())


class WaferwatchError(Exception):
    """Root of our own errors; `code` is a stable kebab-case name for machines, metrics and tests."""

    code = "error"

    def __init__(
        self, what: str, *, where: str = "", expected: str = "", got: str = "", remedy: str = "", code: str = ""
    ) -> None:
        """Keep the parts apart (`complaint`), so that pages and JSON can show them one by one."""
        self.complaint = Complaint(what, where, expected, got, remedy)
        if code:
            self.code = code
        super().__init__(str(self.complaint))

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling: decoders run in child processes and Ray carries errors between replicas."""
        return (_rebuild, (type(self), self.complaint, self.code))


class InputError(WaferwatchError):
    """The input is wrong and stays wrong: quarantine it with this message."""

    code = "bad-input"


class UnsafeInputError(InputError):
    """The input breaks a limit (pixels, bytes, ratio, rows) or names something outside its own folder."""

    code = "unsafe-input"


class ConfigurationError(WaferwatchError):
    """The service or command must not start like this."""

    code = "bad-configuration"


class RetryableError(WaferwatchError):
    """Nothing is wrong with the input; try again later."""

    code = "try-again"


def _rebuild(kind: type[WaferwatchError], complaint: Complaint, code: str) -> WaferwatchError:
    return kind(
        complaint.what,
        where=complaint.where,
        expected=complaint.expected,
        got=complaint.got,
        remedy=complaint.remedy,
        code=code,
    )
