"""The colours can be told apart, in light and in dark, and what can be touched is large."""

import re
from pathlib import Path

import pytest

import booking

STYLE = (Path(booking.__file__).parent / "templates" / "style.css").read_text()
# Text and what it stands on, wherever the pages put the two together.
TEXT_ON = [
    *((ink, paper) for ink in ("ink", "soft", "blue") for paper in ("bg", "card", "tint")),
    ("ink", "amber-tint"),
    ("ink", "red-tint"),
    ("ink", "green-tint"),
    ("on-blue", "blue"),
    ("amber-ink", "amber-tint"),
    *((ink, paper) for ink in ("amber-ink", "green", "red") for paper in ("bg", "card")),
    ("red", "red-tint"),
    ("green", "green-tint"),
]
# Edges that alone show where a field or a choice is, and the ring of the focus.
EDGE_ON = [(edge, paper) for edge in ("edge", "blue", "red") for paper in ("bg", "card")]


def palettes():
    blocks = re.findall(r":root\{([^}]+)\}", STYLE)[:2]
    light, dark = (dict(re.findall(r"--([\w-]+):(#\w+)", block)) for block in blocks)
    return {"light": light, "dark": light | dark}


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """WCAG 2.2: 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_wcag_does():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_edges_stand_out_from_what_they_are_on(scheme):
    palette = palettes()[scheme]
    faint = [(pair, contrast(*(palette[name] for name in pair)), 4.5) for pair in TEXT_ON]
    faint += [(pair, contrast(*(palette[name] for name in pair)), 3) for pair in EDGE_ON]
    assert [found for found in faint if found[1] < found[2]] == []


def test_every_colour_is_of_the_palette():
    body = re.sub(r":root\{[^}]+\}", "", STYLE)
    printed = re.sub(r"@media print\{.*?\}\}", "", body)
    assert re.findall(r"#[0-9a-f]{3,8}\b", printed) == []
    used = set(re.findall(r"var\(--([\w-]+)\)", STYLE))
    assert used == set(palettes()["light"])
