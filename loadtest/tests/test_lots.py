"""The recipe of docs/draw.md, by the numbers that stand there."""

from loadtest.lots import Lots, commits_to

SECRET = bytes(range(32)).hex()
COMMITMENT = "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"


def test_the_published_example_comes_out() -> None:
    ten = Lots(SECRET, 10, "vaccine", 3)
    assert [ten.place(number) for number in range(1, 11)] == [5, 6, 1, 4, 10, 7, 9, 8, 3, 2]
    million = Lots(SECRET, 1_000_000, "vaccine", 3)
    assert (million.place(1), million.place(1_000_000)) == (927_353, 954_363)


def test_everyone_has_another_place_and_who_came_later_the_number() -> None:
    for size in (1, 2, 64, 65, 300, 1_000):
        lots = Lots(SECRET, size, "vaccine", 3)
        assert sorted(map(lots.place, range(1, size + 1))) == list(range(1, size + 1))
        assert lots.place(size + 1) == size + 1


def test_only_the_secret_itself_fits_what_was_published() -> None:
    assert commits_to(SECRET, COMMITMENT)
    assert not commits_to("ff" * 32, COMMITMENT)
