"""For tests in several processes: those that take long begin first, so that none of them is left at the end."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        # Groups stay together whatever their order; within a file and of a kind, the order stays.
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)
