"""A real gateway and booking site for tests, and what they printed when a test fails."""

from collections.abc import Iterator

import pytest

from gateway.tests.stand import Stand

STANDS: pytest.StashKey[list[Stand]] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]  # the result of the other hooks
    if report.failed:
        report.sections += [("gateway and booking site", stand.logs()) for stand in item.stash.get(STANDS, [])]
    return report  # type: ignore[return-value]


@pytest.fixture
def show(request):
    """Call it with a stand whose output is wanted if this test fails."""
    return request.node.stash.setdefault(STANDS, []).append


@pytest.fixture
def stand(tmp_path, show):
    """A gateway with one worker and its booking site, for this test alone."""
    with Stand(tmp_path) as made:
        show(made)
        yield made
