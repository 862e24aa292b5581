"""A good calendar, and what can be wrong with it."""

GOOD = """\
title = { ko = "시험", en = "Test" }
version = 3
zone = "Asia/Seoul"

[[cohort]]
id = "older"
label = { ko = "어른", en = "Older" }
birth_years = { from = 1960, to = 1964 }

[[cohort]]
id = "younger"
label = { ko = "젊은이", en = "Younger" }
birth_years = [1965, 1966]

[[window]]
id = "first"
version = 2
cohorts = ["older"]
opens = 2021-07-01T09:00:00
closes = 2021-07-02T18:00:00

[[window.earlier]]
version = 1
opens = 2021-07-01T08:00:00
closes = 2021-07-02T18:00:00
replaced_at = 2021-06-30T12:00:00

[[closed]]
id = "rest"
cohorts = ["older"]
from = 2021-07-02T18:00:00
until = 2021-07-03T09:00:00
reason = { ko = "쉽니다", en = "We rest" }

[[window]]
id = "all"
version = 1
cohorts = ["older", "younger"]
opens = 2021-07-03T09:00:00
closes = 2021-07-04T18:00:00
"""

VERSION = "version = 3"
ZONE = 'zone = "Asia/Seoul"'
YEARS = "birth_years = [1965, 1966]"
FIRST = '[[window]]\nid = "first"\nversion = 2'
OPENS = "opens = 2021-07-01T09:00:00"
CLOSES = "closes = 2021-07-04T18:00:00"
REPLACED_TWICE = """\
replaced_at = 2021-06-30T12:00:00
[[window.earlier]]
version = 1 #!
opens = 2021-07-01T08:00:00
closes = 2021-07-02T18:00:00
replaced_at = 2021-06-30T13:00:00
"""

# (what is replaced, by what, kind, where, part of the message). "#!" marks the line that must be named; without one, it
# is where the table begins.
FAULTS = [
    # not TOML
    (VERSION, "version = #!", "syntax", "", "is not TOML"),
    (VERSION, "version = 3\nversion = 4 #!", "syntax", "", "is not TOML"),
    ('cohorts = ["older"]\nfrom =', 'cohorts = ["older"\nfrom = #!', "syntax", "", "in what begins on line 30"),
    # unknown
    (VERSION, 'version = 3\ncolour = "red" #!', "unknown", "", "colour is not known here; known: title,"),
    ("[[closed]]", "[[close]] #!", "unknown", "", "close is not known here"),
    ('id = "older"', 'id = "older"\nbirth_yeers = [1960] #!', "unknown", "cohort older", "birth_yeers"),
    (YEARS, "birth_yeers = [1965, 1966] #!", "unknown", "cohort younger", "birth_yeers"),
    ("from = 1960, to = 1964 }", "from = 1960, til = 1964 } #!", "unknown", "cohort older", "til"),
    ('en = "Older" }', 'en = "Older", fr = "Vieux" } #!', "unknown", "cohort older", "label: fr"),
    ("[[window.earlier]]\n", "[[window.earlier]]\nend = 1 #!\n", "unknown", "rule first, earlier 1", "end"),
    # missing
    ('zone = "Asia/Seoul"\n', "", "missing", "", "zone is missing"),
    ("version = 3\n", "", "missing", "", "version is missing"),
    ('[[window]]\nid = "first"\n', "[[window]] #!\n", "missing", "rule number 1", "id is missing"),
    (FIRST, '[[window]] #!\nid = "first"', "missing", "rule first", "version"),
    (
        '[[window]]\nid = "first"\nversion = 2\ncohorts = ["older"]',
        '[[window]] #!\nid = "first"\nversion = 2',
        "missing",
        "rule first",
        "cohorts",
    ),
    (
        '"first"\nversion = 2\ncohorts = ["older"]\nopens = 2021-07-01T09:00:00',
        '"first"\nversion = 2\ncohorts = ["older"]',
        "missing",
        "rule first",
        "opens is missing",
    ),
    ('ko = "어른", en = "Older" }', 'ko = "어른" } #!', "missing", "cohort older", "en is missing"),
    ("birth_years = [1965, 1966]\n", "", "missing", "cohort younger", "no condition"),
    ('reason = { ko = "쉽니다", en = "We rest" }\n', "", "missing", "closed rest", "reason is missing"),
    ("replaced_at = 2021-06-30T12:00:00\n", "", "missing", "rule first, earlier 1", "replaced_at is missing"),
    (
        YEARS,
        "age = { on = 2021-07-01 } #!",
        "missing",
        "cohort younger",
        "from or to is missing",
    ),
    (YEARS, "age = { from = 55 } #!", "missing", "cohort younger", "on is missing"),
    # wrong type
    (VERSION, 'version = "3" #!', "type", "", "version: must be a whole number"),
    (VERSION, "version = true #!", "type", "", "version: must be a whole number"),
    (VERSION, "version = 0 #!", "type", "", "version: must be a whole number"),
    (
        FIRST,
        '[[window]]\nid = "first/2" #!\nversion = 2',
        "type",
        "rule first/2",
        "id:",
    ),
    (FIRST, "[[window]]\nid = 1 #!\nversion = 2", "type", "rule 1", "id:"),
    (
        '"first"\nversion = 2\ncohorts = ["older"]',
        '"first"\nversion = 2\ncohorts = "older" #!',
        "type",
        "rule first",
        "list of ids",
    ),
    (OPENS, 'opens = "2021-07-01T09:00:00" #!', "type", "rule first", "date with a time"),
    (OPENS, "opens = 2021-07-01 #!", "type", "rule first", "date with a time"),
    ("[1965, 1966]", "[1965, 66] #!", "type", "cohort younger", "66 is not a year"),
    ("[1965, 1966]", '[\n1965,\n"1966", #!\n]', "type", "cohort younger", "'1966' is not a year"),
    (
        YEARS,
        "birth_day_digits = [\n1,\n10, #!\n]",
        "type",
        "cohort younger",
        "10 is not a digit",
    ),
    (YEARS, "born = { from = 1965 } #!", "type", "cohort younger", "from must be a date"),
    (YEARS, "attributes = { doctor = 1.5 } #!", "type", "cohort younger", "attributes: must be"),
    (YEARS, "attributes = {} #!", "type", "cohort younger", "attributes: must be"),
    ('ko = "어른", en = "Older" }', 'ko = " ", en = "Older" } #!', "type", "cohort older", "ko must be a text"),
    # twice
    ('id = "all"', 'id = "first" #!', "duplicate", "rule first", "this id is taken, see x.toml:15"),
    ('["older", "younger"]', '["older",\n"younger",\n"older"] #!', "duplicate", "rule all", '"older" is named twice'),
    ("[1965, 1966]", "[1965, 1966, 1965] #!", "duplicate", "cohort younger", "1965 is named twice"),
    # between the parts
    (
        'id = "all"\nversion = 1\ncohorts = ["older", "younger"]\nopens = 2021-07-03T09:00:00',
        'id = "all"\nversion = 1\ncohorts = ["older", "younger"]\nopens = 2021-07-02T17:59:59.999',
        "overlap",
        "rule all",
        "rule first (x.toml:15), 2021-07-02 17:59:59.999 to 2021-07-02 18:00:00, for those born 1960-1964",
    ),
    (
        "until = 2021-07-03T09:00:00",
        "until = 2021-07-03T08:00:00",
        "gap",
        "rule all",
        "rule first (x.toml:15) nothing is said about 2021-07-03 08:00:00 to 2021-07-03 09:00:00 for those born 1960-",
    ),
    (
        "from = 2021-07-02T18:00:00",
        "from = 2021-07-02T18:00:00.001",
        "gap",
        "rule all",
        "nothing is said about 2021-07-02 18:00:00 to 2021-07-02 18:00:00.001",
    ),
    ("[1965, 1966]", "[1966]", "hole", "cohorts", "no cohort has those born 1965:"),
    # empty
    ('["older", "younger"]', '["older"]', "empty", "cohort younger", "no window lets it in"),
    (
        CLOSES,
        "closes = 2021-07-03T09:00:00 #!",
        "empty",
        "rule all",
        "opens and closes are the same moment",
    ),
    ("from = 2021-07-02T18:00:00", "from = 2021-07-01T09:00:00", "empty", "rule first", "[[closed]] leaves nothing"),
    (
        YEARS,
        "born = { from = 1965-01-01, before = 1965-01-01 } #!",
        "empty",
        "cohort younger",
        "no date is from",
    ),
    # reversed
    (
        CLOSES,
        "closes = 2021-07-03T08:59:59.999 #!",
        "reversed",
        "rule all",
        "closes is before opens",
    ),
    (
        "until = 2021-07-03T09:00:00",
        "until = 2021-07-01T09:00:00 #!",
        "reversed",
        "closed rest",
        "until is before from",
    ),
    (
        "from = 1960, to = 1964 }",
        "from = 1964, to = 1960 } #!",
        "reversed",
        "cohort older",
        "from 1964 is after to 1960",
    ),
    (
        YEARS,
        "age = { on = 2021-07-01, from = 56, to = 55 } #!",
        "reversed",
        "cohort younger",
        "56",
    ),
    (
        YEARS,
        "born = [\n{ from = 1965-01-01, before = 1966-01-01 },\n{ from = 1967-01-01, before = 1966-06-01 }, #!\n]",
        "reversed",
        "cohort younger",
        "no date is from 1967-01-01",
    ),
    # zones and hours
    (ZONE, 'zone = "Asia/Soul" #!', "zone", "", 'there is no zone "Asia/Soul"'),
    (ZONE, 'zone = "../etc/passwd" #!', "zone", "", "there is no zone"),
    (ZONE, 'zone = "Asia" #!', "zone", "", "there is no zone"),
    (
        OPENS,
        "opens = 2021-07-01T09:00:00+08:00 #!",
        "time",
        "rule first",
        "has not the offset of Asia/Seoul at that moment: write 2021-07-01T10:00:00+09:00",
    ),
    (
        OPENS,
        "opens = 2021-07-01T09:00:00.0001 #!",
        "time",
        "rule first",
        "finer than a millisecond",
    ),
    (OPENS, "opens = 0001-01-01T00:00:00 #!", "time", "rule first", "is not in the years"),
    (
        '["older", "younger"]',
        '["older",\n"elder", #!\n"younger"]',
        "cohort",
        "rule all",
        'there is no cohort "elder"; there are: older, younger',
    ),
    (
        'cohorts = ["older"]\nfrom',
        'cohorts = ["elder", "older"] #!\nfrom',
        "cohort",
        "closed rest",
        'no cohort "elder"',
    ),
    # versions
    ("version = 2", "version = 1 #!", "version", "rule first", "version 1 is not higher than 1, an earlier one's"),
    (
        "replaced_at = 2021-06-30T12:00:00\n",
        (
            "replaced_at = 2021-06-30T12:00:00\n[[window.earlier]]\nversion = 1 #!\n"
            "opens = 2021-07-01T08:00:00\ncloses = 2021-07-02T18:00:00\nreplaced_at = 2021-06-30T13:00:00\n"
        ),
        "version",
        "rule first",
        "version 1 stands behind version 1",
    ),
]
