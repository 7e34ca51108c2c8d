"""What a channel is: something that takes one message, or raises."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One event for one receiver.

    Attributes:
        event_id: equal for every try of the same event: receivers drop what they know.
        body: plain JSON values.
    """

    event_id: str
    body: Mapping[str, Any]


class Channel(Protocol):
    """A way to reach people or systems."""

    @property
    def name(self) -> str:
        """As it stands in the outbox."""

    def send(self, message: Message) -> None:
        """Deliver, or raise: `RetryableError` if it may work later, any other of our errors if it will not."""
