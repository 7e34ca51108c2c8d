"""An alert's message in words, for channels that people read."""

from collections.abc import Mapping
from typing import Any

_HAPPENED = {
    "alert.opened": "",
    "alert.repeated": "Still open: ",
    "alert.escalated": "Nobody acknowledged: ",
    "alert.closed": "Closed: ",
}


def headline(body: Mapping[str, Any]) -> str:
    """One printable line: what happened, and the title, which holds names from files and so may hold anything."""
    text = f"{_HAPPENED.get(body['event'], '')}{body['title']}"
    return "".join(sign if sign.isprintable() else " " for sign in text)[:200]


def paragraphs(body: Mapping[str, Any], base_url: str) -> str:
    """The whole message.

    Args:
        body: of the message.
        base_url: where the dashboard is, "" if nobody said.
    """
    facts = [
        ("Severity", body["severity"]),
        ("Product", body["product"]),
        ("Step", body["step"]),
        ("Tool", body["tool"]),
        ("Count", body["count"]),
        ("First seen", body["first_seen"]),
        ("Last seen", body["last_seen"]),
        ("State", body["state"] if body["disposition"] is None else f"{body['state']}, {body['disposition']}"),
    ]
    lines = [headline(body), "", body["action"], ""]
    lines += [f"{name}: {value}" for name, value in facts if value not in (None, "")]
    if base_url:
        lines += ["", f"{base_url.rstrip('/')}/alerts/{body['alert_id']}"]
    return "\n".join(lines) + "\n"
