"""Words of the nested dialect, taken from a source one after the other."""

import re

from models.domain.errors import InputError
from pipelines.ingestion.formats.klarf.source import Source
from pipelines.ingestion.formats.klarf.words import BLANKS, tame

_BLANKS = BLANKS.encode()
_SPACE = re.compile(rb"[" + _BLANKS + rb"]*+")
_TOKEN = re.compile(rb'"[^"\n]*+"?+|[^' + _BLANKS + rb';,"{}]++|[;,{}]')


class NestedWords:
    """Reads words as they are written, so that a quoted brace is none.

    What does not follow the grammar is an error in every mode: nobody could say which braces belong together.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def take(self, what: str) -> str:
        """The next word, used up.

        Raises:
            RetryableError: the file ends before; `what` says inside what.
        """
        word = self._peek(what)
        self._source.advance(self._source.position + len(word))
        return word.rstrip("\r")

    def name(self, what: str) -> str:
        """The name of a part, used up, quotes taken off.

        Raises:
            InputError: it has none.
        """
        word = self.take(what)
        if word in {"{", "}", ",", ";"}:
            raise self.unexpected(f"{what} has no name", "a name", word)
        return tame(word.strip('"'))

    def label(self, what: str) -> str | None:
        """The label between a record's name and its brace, which is used up too; None = there is none.

        Raises:
            InputError: something else stands there.
        """
        words = []
        while (word := self.take(what)) != "{":
            words.append(word.strip('"'))
            if len(words) > 1 or word in {"}", ",", ";"}:
                raise self.unexpected(f"{what} goes on with something unknown", "a label and '{'", word)
        return words[0] if words else None

    def count(self, what: str) -> str:
        """What stands before an opening brace, which is used up too: a number, if all is well.

        Raises:
            InputError: there is more than a word, or no brace.
        """
        return self.label(what) or ""

    def open(self, what: str) -> None:
        """Use up an opening brace.

        Raises:
            InputError: something else stands there.
        """
        word = self.take(what)
        if word != "{":
            raise self.unexpected(f"{what} goes on with something unknown", "'{'", word)

    def unexpected(self, what: str, expected: str, got: str) -> InputError:
        """The complaint that the grammar is not followed."""
        return InputError(
            what,
            where=self._source.problems.place(*self._source.place()),
            expected=expected,
            got=repr(got[:20]),
            remedy="look for a brace or quote too many or too few before it",
            code="bad-structure",
        )

    def _peek(self, what: str) -> str:
        source = self._source
        while True:
            blank = _SPACE.match(source.data, source.position)
            assert blank is not None
            source.advance(blank.end())
            token = _TOKEN.match(source.data, source.position)
            if token is not None and token.end() - source.position > source.limits.word_bytes:
                raise source.too_long("a word", source.limits.word_bytes)
            if token is not None and token.end() < len(source.data):
                break
            if not source.more():
                if token is None or token.group().upper() != b"ENDOFFILE":
                    raise source.truncated(what)
                break
        return token.group().decode("latin-1")
