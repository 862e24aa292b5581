"""Fixtures: one browser and, as long as it stays sound, one gateway for all these tests."""

import pytest

from gateway.tests.browser.chromium import chromium_for_tests
from gateway.tests.browser.scene import Scene, is_idle
from gateway.tests.stand import Stand


def pytest_collection_modifyitems(items):
    """In two workers: those who share a gateway in one, so that it is started once, all others in another."""
    for item in items:
        if item.nodeid.startswith("gateway/tests/browser/"):
            item.add_marker(pytest.mark.browser)
            shares = "scene" in item.fixturenames
            item.add_marker(pytest.mark.xdist_group("browser" if shares else "browser_alone"))


# For this package only: while Playwright is at work no test with an event loop can run in the same process.
@pytest.fixture(scope="package")
def chromium():
    with chromium_for_tests() as browser:
        yield browser


class House:
    """A stand that serves test after test, and is built anew when a test left somebody in its room."""

    def __init__(self, folders):
        self._folders = folders
        self._stand: Stand | None = None

    def stand(self):
        if self._stand is None:
            # Whoever cannot be let in at present asks again within a third of the claim window.
            self._stand = Stand(self._folders.mktemp("stand"), workers=2, room={"claim_window_s": 10})
            self._stand.__enter__()
            assert is_idle(self._stand)  # credit for a first admission has come in
        return self._stand

    def close(self):
        if self._stand is not None:
            self._stand.stop()
            self._stand = None


@pytest.fixture(scope="package")
def house(tmp_path_factory):
    made = House(tmp_path_factory)
    yield made
    made.close()


@pytest.fixture
def scene(chromium, house, show):
    """An empty room with one seat. At the end no page may have had a fault or asked anyone else."""
    stand = house.stand()
    show(stand)
    made = Scene(stand, chromium)
    yield made
    faults = made.faults()
    if not made.clear():
        house.close()
    assert faults == []
