"""The alerts and the dashboard that are shipped ask for metrics there are, and fire when they should."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from gateway.metrics.families import FAMILIES
from gateway.tests import dashboard
from gateway.tests.test_metrics_workers import ROOT, promtool

PROMETHEUS = ROOT / "deploy/prometheus"
DASHBOARD = ROOT / "deploy/grafana/sunbeon.json"

ALERTS = (PROMETHEUS / "alerts.yml").read_text()
NAMES = re.findall(r"^ +- alert: (\w+)$", ALERTS, re.MULTILINE)
# What a scrape is said to be by Prometheus itself, and what a panel or an alert may ask about it.
USUAL = {"instance", "job", "le"}


def samples() -> dict[str, set[str]]:
    """Every name that a scrape has, and its labels."""
    found = {}
    for family in FAMILIES.values():
        labels = set(family.labels) | USUAL
        ends = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
        found.update({family.sample_name() + end: labels for end in ends})
    return found


def asked(text: str) -> list[tuple[str, set[str]]]:
    """The metrics in PromQL, each with the labels it is chosen by."""
    found = re.findall(r"\b((?:sunbeon|process)_\w+)(?:\{([^}]*)\})?", text)
    return [(name, set(re.findall(r"(\w+)=", labels))) for name, labels in found]


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]


def tool(*arguments: str, folder: Path = PROMETHEUS) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool(), *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("text", [ALERTS, (PROMETHEUS / "alerts_test.yml").read_text(), *expressions()])
def test_nothing_is_asked_that_is_not_told(text):
    told = samples()
    for name, labels in asked(text):
        assert name in told, name
        assert labels <= told[name], (name, labels)


def test_rooms_are_never_summed_over_gateways():
    rooms = {family.sample_name() for family in FAMILIES.values() if family.joined == "same"}
    for text in (ALERTS, *expressions()):
        summed = re.findall(r"sum(?: by \([^)]*\) )?\((?:rate\()?(\w+)", text)
        assert not rooms & set(summed), text


def test_the_alerts_do_as_their_tests_say():
    for arguments in (
        ("check", "rules", "alerts.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ):
        done = tool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_and_says_what_to_do():
    tests = (PROMETHEUS / "alerts_test.yml").read_text()
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for name in NAMES:
        assert name in tests, name
    told = re.findall(r"runbook: docs/runbook\.md#([\w-]+)$", ALERTS, re.MULTILINE)
    assert len(told) == len(NAMES) == len(set(NAMES))
    assert set(told) <= anchors


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_that_never_fires_fails_the_tests(tmp_path, name):
    """The tests of alerts could all be empty: break each alert in turn."""
    head, alert, rest = ALERTS.partition(f"- alert: {name}\n")
    body, following, others = rest.partition("- alert:")
    dumb = re.sub(r"expr: (?:.*\n(?: {10}.+\n)+|.*\n)", "expr: vector(0) > 1\n", body, count=1)
    assert dumb != body
    (tmp_path / "alerts.yml").write_text(head + alert + dumb + following + others)
    (tmp_path / "alerts_test.yml").write_text((PROMETHEUS / "alerts_test.yml").read_text())
    assert tool("check", "rules", "alerts.yml", folder=tmp_path).returncode == 0
    done = tool("test", "rules", "alerts_test.yml", folder=tmp_path)
    assert done.returncode == 1
    assert name in done.stdout + done.stderr


def test_the_dashboard_is_as_it_was_generated():
    """deploy/grafana/sunbeon.json is written by `python -m gateway.tests.dashboard`."""
    assert DASHBOARD.read_text() == dashboard.render()


def test_panels_have_places_and_ids_of_their_own():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        (x, y)
        for panel in panels
        for at in (panel["gridPos"],)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24


def test_every_expression_of_the_dashboard_is_promql(tmp_path):
    rules = [{"record": f"panel:{index}", "expr": text} for index, text in enumerate(expressions())]
    for rule in rules:
        rule["expr"] = rule["expr"].replace("$room", "hall")
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = tool("check", "rules", "panels.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
