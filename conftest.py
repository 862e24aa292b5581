"""For all tests: how often Hypothesis tries; and of several processes, those that take long begin first."""

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# In CI the same ones each time: `EXAMPLES=1000 pytest ...` looks further.
_BASE = settings.get_profile("ci" if os.environ.get("CI") else "default")
settings.register_profile("usual", _BASE, max_examples=int(os.environ.get("EXAMPLES", "50")))
settings.load_profile("usual")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        # Groups stay together whatever their order; within a file and of a kind, the order stays.
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command run within a test says where all logs go: to what is standard error then, and closed after it."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
