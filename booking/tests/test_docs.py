"""The documentation says what is."""

from pathlib import Path

from booking.tests.settings_table import insert

PAGE = Path(__file__).parents[2] / "docs" / "booking.md"


def test_every_setting_is_documented_with_its_default():
    """`python -m booking.tests.settings_table docs/booking.md` writes them."""
    page = PAGE.read_text(encoding="utf-8")
    assert insert(page) == page
