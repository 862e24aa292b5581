"""A real gateway and booking site for tests, and their output when a test fails."""

from collections.abc import Iterator

import pytest

from gateway.tests.stand import Stand

REPORTS: pytest.StashKey[list[pytest.TestReport]] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]  # the hook's result comes back in
    item.stash.setdefault(REPORTS, []).append(report)
    return report  # type: ignore[return-value]


def failed(node: pytest.Item) -> bool:
    """Whether the test, or setting it up, failed so far."""
    return any(report.failed for report in node.stash.get(REPORTS, []))


@pytest.fixture
def stand(tmp_path, request):
    """A gateway with one worker and its booking site, for this test alone."""
    with Stand(tmp_path) as made:
        yield made
        if failed(request.node):
            print(made.logs())
