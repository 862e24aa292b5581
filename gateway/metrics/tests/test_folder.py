"""The folder of a supervisor's is its own, goes with it, and is cleared away where it could not."""

import shutil

import pytest

from gateway.metrics.folder import metrics_folder


def test_nobody_else_can_read_it_and_it_goes_with_all_that_is_in_it(tmp_path):
    with metrics_folder(tmp_path) as folder:
        (folder / "0.json").write_text("{}")
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not any(tmp_path.iterdir())


def test_it_goes_however_the_context_ends(tmp_path):
    with pytest.raises(RuntimeError), metrics_folder(tmp_path):
        raise RuntimeError
    assert not any(tmp_path.iterdir())


def test_what_a_killed_supervisor_left_is_cleared_away_and_a_living_ones_is_not(tmp_path):
    left = tmp_path / "sunbeon-pid-1-left"
    others = tmp_path / "something-else"
    making = tmp_path / "sunbeon-pid-1-making"
    for folder in (left, others, making):
        folder.mkdir()
    (left / "lock").touch()
    (others / "lock").touch()
    with metrics_folder(tmp_path) as first, metrics_folder(tmp_path) as second:
        assert {*tmp_path.iterdir()} == {first, second, others, making}


def test_without_the_usual_place_another_is_found(tmp_path):
    with metrics_folder(tmp_path / "nowhere") as folder:
        assert folder.is_dir()


def test_that_it_is_gone_already_does_no_harm(tmp_path):
    with metrics_folder(tmp_path) as folder:
        shutil.rmtree(folder)
