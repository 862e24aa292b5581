from pathlib import Path

from gateway.settings import Bypass, Gateway, Live, Room, Upstream
from gateway.tests.settings_table import render

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_with_its_default():
    """docs/settings.md is written by `python -m gateway.tests.settings_table`; it must not fall behind."""
    assert (ROOT / "docs/settings.md").read_text() == render()


def test_every_setting_says_what_it_is():
    for model in (Gateway, Upstream, Live, Room, Bypass):
        missing = [name for name, info in model.model_fields.items() if not info.description]
        assert not missing, f"{model.__name__}: {missing}"
