"""A room's own templates: how they take our templates' place, and how a broken one is found before opening."""

import gzip

import pytest

from gateway.edge.pages import SAMPLE_STATUS, Pages, WaitView

VIEW = WaitView(
    room="vaccine",
    title={"en": "Vaccines"},
    status={**SAMPLE_STATUS, "state": "waiting", "room_state": "open"},
    status_url="/_sunbeon/vaccine/status",
    leave_url="/_sunbeon/vaccine/leave",
    refresh_s=20,
)
EXTENDED = '{% extends "sunbeon/waiting.html" %}{% block brand %}<h2 class="own">City of Busan</h2>{% endblock %}'


def test_our_own_templates_have_nothing_wrong(tmp_path):
    assert Pages().check() == []
    assert Pages(tmp_path).check() == []


def test_a_rooms_template_takes_the_place_of_ours_and_may_extend_it(tmp_path):
    (tmp_path / "waiting.html").write_text(EXTENDED, "utf-8")
    pages = Pages(tmp_path)
    body = pages.waiting(VIEW, "en").body
    assert b"City of Busan" in body
    assert b"123,456" in body
    assert b"City of Busan" not in pages.notice("closed", "en").body
    assert pages.check() == []


def test_a_rooms_frame_and_style_reach_every_page(tmp_path):
    (tmp_path / "base.html").write_text(
        '{% extends "sunbeon/base.html" %}{% block brand %}<p>City of Busan</p>{% endblock %}', "utf-8"
    )
    (tmp_path / "room.css").write_text(":root { --accent: #7a1fa2; } /* </style><script>x */", "utf-8")
    pages = Pages(tmp_path)
    for page in (pages.waiting(VIEW, "en"), pages.notice("closed", "en")):
        assert b"City of Busan" in page.body
        assert b"--accent: #7a1fa2" in page.body
        assert page.body.count(b"</style>") == 1
        assert gzip.decompress(page.gzip) == page.body
    assert pages.check() == []


def test_a_template_that_fails_while_people_wait_is_replaced_by_ours_and_reported_once(tmp_path, caplog):
    (tmp_path / "waiting.html").write_text("{{ 1 / 0 }}", "utf-8")
    (tmp_path / "notice.html").write_text("{% if %}", "utf-8")
    pages = Pages(tmp_path)
    for _ in range(3):
        assert b"123,456" in pages.waiting(VIEW, "en").body
    assert b"The line is closed" in pages.notice("closed", "en").body
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("waiting.html", "{% if %}", "waiting.html:1"),
        ("waiting.html", EXTENDED.replace("City", "{{ city }}"), "'city' is undefined"),
        ("waiting.html", EXTENDED.replace("City", "{{ 1 / 0 }}"), "ZeroDivisionError"),
        ("waiting.html", '{% extends "layout.html" %}', "layout.html"),
        ("wating.html", EXTENDED, "no page uses it"),
        ("waiting.html", EXTENDED.replace("City", "<script>alert(1)</script>"), "<script> of its own"),
        ("waiting.html", EXTENDED.replace("City", "<style>p{}</style>"), "<style> of its own"),
        ("waiting.html", EXTENDED.replace("City", '<i style="color:red">x</i>'), "style=...> is refused"),
        ("waiting.html", EXTENDED.replace("City", '<i onclick="x()">x</i>'), "onclick=...> is refused"),
        ("waiting.html", EXTENDED.replace("City", '<img src="https://x.example/l.png">'), "loaded from elsewhere"),
        ("base.html", '<link rel="stylesheet" href="/own.css">{% block main %}{% endblock %}', "loaded from elsewhere"),
        ("waiting.html", '{% extends "base.html" %}{% block main %}Please wait.{% endblock %}', "nobody can leave"),
        ("waiting.html", '{% extends "base.html" %}{% block main %}Please wait.{% endblock %}', "{{ number }}"),
        ("waiting.html", '{% extends "base.html" %}{% block main %}Please wait.{% endblock %}', "stands still"),
        ("waiting.html", '{% extends "base.html" %}{% block main %}Please wait.{% endblock %}', "{{ script }}"),
        ("notice.html", "{{ heading }}", "{{ advice }}"),
        ("notice.html", "{{ heading }} {{ advice }}" + "x" * 70_000, "heavier"),
        ("room.css", "body { background: url('https://x.example/l.png') }", "embed it as data:"),
        ("room.css", "@import 'more.css';", "embed it as data:"),
    ],
)
def test_what_is_wrong_with_a_template_is_told_with_its_file(tmp_path, name, text, told):
    (tmp_path / name).write_text(text, "utf-8")
    problems = Pages(tmp_path).check()
    assert any(told in problem and str(tmp_path) in problem for problem in problems), problems


def test_a_file_in_another_encoding_and_a_missing_folder_are_told(tmp_path):
    (tmp_path / "waiting.html").write_bytes("대기".encode("cp949"))
    assert "UTF-8" in Pages(tmp_path).check()[0]
    assert "no such folder" in Pages(tmp_path / "missing").check()[0]


def test_an_embedded_picture_is_welcome(tmp_path):
    (tmp_path / "room.css").write_text("header { background: url(data:image/png;base64,AAAA) }", "utf-8")
    (tmp_path / "waiting.html").write_text(EXTENDED.replace("City", '<img src="data:image/png;base64,AAAA">'), "utf-8")
    assert Pages(tmp_path).check() == []
