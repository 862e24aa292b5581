"""Every key is found on its line, whatever the texts around it look like."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rules.lines import Lines, Path, unfinished

TRICKY = '''\
# [[window]]
a = """
[[window]]
id = "no key"   # '''
TRICKY += """
\"\"\"
'b c'.d = 1 # key = 2
e = [ # [[window]]
  1, 2,
  # 3,
  '''
  x = [1,
  ''',
  4, ]

[[window]]
id = 'first'
  [window."label"]   # of the first
  ko = "[[window]]"
[[window.earlier]]
version = 1
[[window.earlier]]
version = 2
[[window]]
times = {opens = 1, "closes" = "]"}
[[window.earlier]]
version = 3
[other.table]
"""

PLACES = [
    (("a",), 2),
    (("b c",), 6),
    (("b c", "d"), 6),
    (("e",), 7),
    (("e", 0), 8),
    (("e", 1), 8),
    (("e", 2), 12),
    (("e", 3), 13),
    (("window", 0), 15),
    (("window", 0, "id"), 16),
    (("window", 0, "label"), 17),
    (("window", 0, "label", "ko"), 18),
    (("window", 0, "earlier", 0), 19),
    (("window", 0, "earlier", 0, "version"), 20),
    (("window", 0, "earlier", 1), 21),
    (("window", 0, "earlier", 1, "version"), 22),
    (("window", 1), 23),
    (("window", 1, "times"), 24),
    (("window", 1, "times", "closes"), 24),
    (("window", 1, "earlier", 0, "version"), 26),
    (("other",), 27),
    (("other", "table"), 27),
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_keys_are_found_among_texts_that_look_like_keys(end):
    lines = Lines(TRICKY.replace("\n", end))
    assert [(path, lines.of(path)) for path, _ in PLACES] == PLACES


def test_what_is_not_there_is_placed_at_the_table_around_it():
    lines = Lines(TRICKY)
    assert lines.of(("window", 1, "reason", "ko")) == 23
    assert lines.of(("nothing",)) == lines.of(()) == 1


def test_a_statement_without_end_is_told_by_its_beginning():
    assert unfinished('a = 1\n\n# b\nb = """\nc = 2\nd = 3\n') == 4
    assert unfinished("a = 1\n[[b]]\nc = [\n 1,\n") == 3


def test_text_that_is_not_toml_is_refused_though_each_statement_is():
    with pytest.raises(tomllib.TOMLDecodeError):
        Lines("a = 1\na = 2\n")


_inside = st.text("[]=#\"' \nax,\\", max_size=12)
_texts = st.one_of(
    _inside.map(lambda text: '"""' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""'),
    _inside.map(lambda text: "'''" + text.replace("'", "-") + "'''"),
    st.lists(st.integers(0, 9).map(str), max_size=4).map(lambda items: "[ # a = [\n" + ",\n".join(items) + "\n]"),
    st.just("{ a = 1, b = [2] }"),
    st.just("2021-07-19T22:00:00"),
)


@given(st.lists(st.tuples(st.sampled_from(["", "\n", "# a = 1\n", "[[t]]\n"]), _texts), max_size=12))
def test_keys_are_found_on_the_lines_they_were_written_on(parts):
    text, tables = "", 0
    path: Path = ()
    written: list[tuple[Path, int]] = []
    for number, (before, value) in enumerate(parts):
        if before == "[[t]]\n":
            path = ("t", tables)
            tables += 1
            written.append((path, text.count("\n") + 1))
        text += before
        written.append(((*path, f"k{number}"), text.count("\n") + 1))
        text += f"k{number} = {value}\n"

    lines = Lines(text)

    assert [(where, lines.of(where)) for where, _ in written] == written
