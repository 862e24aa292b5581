"""An evening and what follows from it as tables of text: the same for the terminal, the page and the JSON. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from gateway.edge.hasty import PER_SECOND
from gateway.simulate.budget import OUTFLOWS, Budget, Fit, budget, horizon, logarithm
from gateway.simulate.checks import CHECKS
from gateway.simulate.costs import Costs
from gateway.simulate.record import Outcome
from gateway.simulate.sizing import CORES_EACH, HEADROOM, SPARE, STORE_PART, Haste, Need, haste, needs
from gateway.simulate.texts import ROWS_KO, TEXTS

LINES: Final = (10, 1_000, 100_000, 6_000_000)

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """rows: the first cell is a name, the others are numbers."""

    title: str
    text: str
    head: Row
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Summary:
    """budgets: by outflow and line. fits: of lines short enough, by outflow."""

    outcome: Outcome
    costs: Costs
    budgets: Sequence[Budget]
    fits: dict[int, Fit]
    needs: Sequence[Need]
    haste: Sequence[Haste]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def summarize(outcome: Outcome, costs: Costs) -> Summary:
    return Summary(
        outcome,
        costs,
        [budget(waiting, outflow) for outflow in OUTFLOWS for waiting in LINES],
        {outflow: logarithm(outflow)[1] for outflow in OUTFLOWS},
        needs(outcome.peaks, outcome.most_waiting, outcome.most_inside, costs),
        haste(costs),
    )


def tables(summary: Summary, language: str) -> list[Table]:
    outcome, t = summary.outcome, TEXTS[language]
    estimates = outcome.grades
    graded = max(sum(estimates[name] for name in ("within", "earlier", "later")), 1)

    def named(name: str) -> str:
        return ROWS_KO.get(name, name) if language == "ko" else name

    def counts(of: Mapping[str, int]) -> list[Row]:
        return [(named(name), n(number)) for name, number in sorted(of.items())]

    most = [(named(name), n(number)) for name, number in _most(outcome)]
    shares = [
        (named(name), n(number), "" if name == "changed" else f"{number / graded:.0%}")
        for name, number in estimates.items()
    ]
    checks = [
        (named(f"check {name}") if language == "ko" else CHECKS[name], n(number))
        for name, number in sorted(outcome.checks.items())
    ]
    found = [
        Table(t["totals"], "", (), [*counts(outcome.totals), *most]),
        Table(t["estimates"], "", (), shares),
        Table(t["polls_by_wait"], "", (), counts(outcome.polls_by_wait)),
        Table(t["cheats"], "", (), counts(outcome.tricks)),
        Table(t["cheats_stopped"], "", (), counts(outcome.refused)),
        Table(t["checks"], "", (), checks),
    ]
    found += [_budget(summary, language), _haste(summary, language)]
    # Who come in a twelfth of the time ask as no crowd does.
    return found if outcome.scenario["times_faster"] > 1 else [*found, _capacity(summary, language)]


def verdict(outcome: Outcome, language: str, when: str) -> str:
    """One sentence. when: the moment of what was broken, in words."""
    t, broken = TEXTS[language], outcome.broken
    return t["holds"] if broken is None else t["broken"].format(when=when, **{k: broken[k] for k in ("check", "told")})


def n(number: float) -> str:
    return f"{round(number):,}"


def _most(outcome: Outcome) -> list[tuple[str, float]]:
    rates = [(f"{kind} in the fullest second", rate) for kind, rate in sorted(outcome.peaks.items())]
    return [("most waiting", outcome.most_waiting), ("most inside", outcome.most_inside), *rates]


def _budget(summary: Summary, language: str) -> Table:
    t, outflow = TEXTS[language], OUTFLOWS[-1]
    minutes = horizon(outflow) / outflow
    text = t["budget_text"].format(
        horizon=f"{minutes:.0f} min" if language == "en" else f"{minutes:.0f}분",
        r2=f"{min(each.r2 for each in summary.fits.values()):.4f}",
        longest=round(minutes * 60 / 8),
    )
    rows = [
        (n(each.outflow), n(each.waiting), n(each.polls), n(each.fixed), f"{each.polls / each.fixed:.2f}")
        for each in summary.budgets
    ]
    return Table(t["budget"], text, tuple(t["budget_head"].split("|")), rows)


def _haste(summary: Summary, language: str) -> Table:
    t = TEXTS[language]
    rows = [
        (
            n(each.clients),
            n(each.asks_per_s),
            n(each.answered_per_s),
            f"{each.cores_if_answered:.1f}",
            f"{each.cores:.1f}",
        )
        for each in summary.haste
    ]
    return Table(t["hasty"], t["hasty_text"].format(rate=PER_SECOND), tuple(t["hasty_head"].split("|")), rows)


def _capacity(summary: Summary, language: str) -> Table:
    t = TEXTS[language]
    text = t["capacity_text"].format(
        headroom=HEADROOM, cores=CORES_EACH, spare=SPARE, part=STORE_PART, source=summary.costs.source
    )
    rows = [
        (
            n(each.waiting), n(each.polls_per_s), n(each.joins_per_s), n(each.forwards_per_s), f"{each.cores:.1f}",
            n(each.gateways), f"{each.store:.0%}{'' if each.fits_one_store else ' !'}",
        )
        for each in summary.needs
    ]  # fmt: skip
    return Table(t["capacity"], text, tuple(t["capacity_head"].split("|")), rows)
