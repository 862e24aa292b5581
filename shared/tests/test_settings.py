"""The settings loader: file, then environment, then flags; every problem at once, with where it came from."""

import pytest
from pydantic import BaseModel, ConfigDict, Field

from shared import settings
from shared.errors import SettingsError, SunbeonError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Part(_Strict):
    name: str = "default"
    number: int = Field(1, ge=1)
    on: bool = False
    names: tuple[str, ...] = ()


class Item(_Strict):
    size: int


class Whole(_Strict):
    gateway: Part = Field(default_factory=Part)
    room: tuple[Item, ...] = ()


@pytest.fixture
def load(tmp_path):
    def load_text(text="", environ=None, flags=None) -> Whole:
        path = tmp_path / "sunbeon.toml"
        path.write_text(text, encoding="utf-8")
        return settings.load(Whole, path=path, environ=environ or {}, flags=flags)

    return load_text


def problems(load, *args) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(*args)
    return caught.value.problems


def test_without_anything_the_defaults_stand():
    assert settings.load(Whole, path=None, environ={}) == Whole()


def test_each_later_source_wins(load):
    text = '[gateway]\nname = "file"\nnumber = 2\non = true\n'
    environ = {"SUNBEON_GATEWAY__NAME": "environment", "SUNBEON_GATEWAY__NUMBER": "3"}
    found = load(text, environ, {"gateway": {"name": "flag", "number": None}}).gateway
    assert (found.name, found.number, found.on) == ("flag", 3, True)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("5", "number", 5),
        ("true", "on", True),
        ('["a", "b"]', "names", ("a", "b")),
        ("/var/lib/x", "name", "/var/lib/x"),
        ("sqlite:///x.db", "name", "sqlite:///x.db"),
        ('"5"', "name", "5"),
        ("", "name", ""),
    ],
)
def test_a_value_in_the_environment_is_read_as_in_the_file_or_as_text(load, text, key, value):
    assert getattr(load("", {f"SUNBEON_GATEWAY__{key.upper()}": text}).gateway, key) == value


def test_other_programs_sections_are_left_to_them(load):
    assert load("[booking]\nanything = 1\n", {"SUNBEON_BOOKING__ANYTHING": "2"}) == Whole()


def test_problems_of_every_source_are_told_together(load):
    found = problems(
        load, "extra = 1\n[gateway]\nnumber = 0\ncolour = 1\n", {"SUNBEON_GATEWAY__ON": "5", "SUNBEON_NO": "1"}
    )
    assert len(found) == 5
    for beginning in ("extra: unknown section", "SUNBEON_NO: unknown variable", "gateway.number: ", "gateway.on: "):
        assert len([line for line in found if line.startswith(beginning)]) == 1
    assert any(line.startswith("gateway.colour: unknown setting") for line in found)


def test_an_item_of_a_list_is_named_by_its_place(load):
    found = problems(load, "[[room]]\nsize = 1\n[[room]]\nsize = 'x'\n[[room]]\n")
    assert [line.split(":")[0] for line in found] == ["room[1].size", "room[2].size"]
    assert "is missing" in found[1]


def test_a_problem_says_where_the_value_came_from(load):
    assert "(from SUNBEON_GATEWAY__NUMBER)" in problems(load, "", {"SUNBEON_GATEWAY__NUMBER": "x"})[0]
    assert "(from a flag)" in problems(load, "", {}, {"gateway": {"number": 0}})[0]
    assert "sunbeon.toml)" in problems(load, "[gateway]\nnumber = 0\n")[0]


@pytest.mark.parametrize("name", settings.RESERVED)
def test_secrets_and_the_file_itself_are_no_settings(load, name):
    assert load("", {name: "x"}) == Whole()


def test_wrong_settings_are_an_error_of_ours_that_reads_line_by_line():
    error = SettingsError(["a: x", "b: y"])
    assert isinstance(error, SunbeonError)
    assert str(error) == "a: x\nb: y"
