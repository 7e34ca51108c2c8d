"""What a place in the watch folder says of a file."""

from pathlib import Path

import pytest

from services.intake.origins import Origins
from services.priority import Priority

ROOT = Path("/watch")
ORIGINS = Origins(priorities={"*/urgent/*": Priority.HELD, "archive/*": Priority.BACKFILL})


@pytest.mark.parametrize(
    ("path", "sender", "priority"),
    [
        ("a.001", "watch folder", Priority.NORMAL),
        ("T9/a.001", "watch folder/T9", Priority.NORMAL),
        ("T9/urgent/a.001", "watch folder/T9", Priority.HELD),
        ("archive/2024/a.001", "watch folder/archive", Priority.BACKFILL),
        ("archive/urgent/a.001", "watch folder/archive", Priority.HELD),
        ("a\nb/c.001", "watch folder/a\\nb", Priority.NORMAL),
    ],
)
def test_sender_and_priority(path: str, sender: str, priority: Priority) -> None:
    assert ORIGINS.sender_of(ROOT / path, ROOT) == sender
    assert ORIGINS.priority_of(ROOT / path, ROOT) is priority
