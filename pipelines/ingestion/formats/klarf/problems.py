"""What is wrong with a file, and what the reader does about it: stop (strict) or note it and go on (lenient)."""

from dataclasses import dataclass, field
from typing import Literal

from models.domain.capture import ReadWarning
from models.domain.errors import InputError

Mode = Literal["strict", "lenient"]


@dataclass(slots=True)
class Problems:
    """Collects what is odd about one file.

    Attributes:
        name: of the file, for messages.
        mode: whether a wrong file is an error or a warning.
        limit: how many warnings are kept; later ones are only counted.
        warnings: so far.
        unkept: warnings past the limit.
    """

    name: str = "klarf"
    mode: Mode = "strict"
    limit: int = 1000
    warnings: list[ReadWarning] = field(default_factory=list)
    unkept: int = 0
    _seen: set[ReadWarning] = field(default_factory=set)

    @property
    def room(self) -> int:
        """How many more problems are worth describing: at least one, so that strict mode stops."""
        return max(1, self.limit - len(self.warnings)) if self.mode == "strict" else self.limit - len(self.warnings)

    def warn(self, code: str, message: str, line: int | None = None) -> None:
        """Note something odd that is no error in either mode."""
        warning = ReadWarning(code, message, line or None)
        if len(self.warnings) >= self.limit:
            self.unkept += 1
        elif warning not in self._seen:  # what does not end within a block is looked at again
            self.warnings.append(warning)
            self._seen.add(warning)

    def wrong(
        self,
        code: str,
        what: str,
        *,
        line: int = 0,
        column: int = 0,
        expected: str = "",
        got: str = "",
        remedy: str = "",
    ) -> None:
        """Note something wrong.

        Raises:
            InputError: in strict mode.
        """
        error = InputError(what, where=self.place(line, column), expected=expected, got=got, remedy=remedy, code=code)
        if self.mode == "strict":
            raise error
        self.warn(code, str(error), line)

    def place(self, line: int = 0, column: int = 0) -> str:
        """`name:line:column`, as editors understand it; without what is not known."""
        return ":".join([self.name, *(str(number) for number in (line, column) if number)])

    def collected(self) -> tuple[ReadWarning, ...]:
        """All warnings, the last one counting those that were not kept."""
        if not self.unkept:
            return tuple(self.warnings)
        return (*self.warnings, ReadWarning("more-warnings", f"{self.unkept} further warnings were not kept"))
