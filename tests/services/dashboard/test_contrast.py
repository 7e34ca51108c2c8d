"""Text can be read in both themes: WCAG 2.2 AA asks for a contrast of 4.5 between text and what is behind it."""

import re

import pytest

from services.dashboard.looks import STATIC

TEXT = ("ink", "ink-soft", "accent", "critical", "warning", "info", "unknown", "defect", "normal")
WASHED = ("critical", "warning", "info", "unknown", "normal")


def tokens(theme: str) -> dict[str, str]:
    light, dark = (STATIC / "tokens.css").read_text().split("@media")
    found = dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6});", light))
    return found | dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6});", dark)) if theme == "dark" else found


def luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out(theme: str) -> None:
    colours = tokens(theme)
    for name in TEXT:
        for behind in ("card", "paper", "sunken"):
            assert contrast(colours[name], colours[behind]) >= 4.5, f"{name} on {behind}"
    for name in WASHED:
        assert contrast(colours[name], colours[f"{name}-wash"]) >= 4.5, f"{name} on its wash"
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_can_be_pressed_has_an_edge_that_is_seen(theme: str) -> None:
    colours = tokens(theme)
    assert contrast(colours["focus"], colours["card"]) >= 3
