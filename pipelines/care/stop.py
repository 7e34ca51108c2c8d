"""A leaking run is stopped before it costs an hour and misleads for a year."""

import logging

from models.domain.errors import ConfigurationError
from pipelines.care.check import Review

logger = logging.getLogger(__name__)


def refuse_leaks(found: Review, *, despite: bool) -> None:
    """Stop if the test split can be answered from the training split.

    Args:
        found: the review of the dataset.
        despite: go on all the same; it is logged, and the report keeps what was found.

    Raises:
        ConfigurationError: it leaks, and nobody said to go on.
    """
    for leak in found.leaks:
        logger.warning("the dataset leaks: %s", leak.what)
    if found.leaks and not despite:
        first = found.leaks[0]
        more = f"; {len(found.leaks) - 1} more leaks" if len(found.leaks) > 1 else ""
        raise ConfigurationError(
            "the dataset leaks",
            where=found.dataset,
            expected="nothing of the test split in the training split",
            got=f"{first.what}{', such as ' + first.examples[0] if first.examples else ''}{more}",
            remedy="look with `waferwatch dataset check`, import it again, or say --despite-leaks",
            code="leak",
        )
