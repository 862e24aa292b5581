"""How the values of several workers become one answer. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import orjson
from prometheus_client import Metric

from gateway.metrics.families import FAMILIES, Joined

# By family: the numbers, each by its sample's name and labels, which are one JSON text: so they are in the files, and
# need not be taken apart before they are told.
Values = Mapping[str, Mapping[str, float]]

_RULES: Final[Mapping[Joined, Callable[[Sequence[float]], float]]] = {
    Joined.SAME: max,
    Joined.SUM: sum,
    Joined.MAX: max,
    Joined.MIN: min,
    Joined.WIDEST: lambda values: max(values, key=abs),
}


def values_of(metrics: Iterable[Metric]) -> Values:
    """The numbers of these families. When a counter began is left out: of several workers, no moment is right."""
    return {
        metric.name: {
            orjson.dumps((sample.name, sample.labels)).decode(): float(sample.value)
            for sample in metric.samples
            if not sample.name.endswith("_created")
        }
        for metric in metrics
    }


def totals(values: Values) -> Values:
    """What still counts when the worker is gone."""
    return {name: samples for name, samples in values.items() if name in FAMILIES and FAMILIES[name].lasts}


def join(workers: Sequence[Values]) -> Values:
    """One answer from all. What is not in the table is left out: a worker of another version may have written it."""
    joined = {}
    for name, family in FAMILIES.items():
        found: dict[str, list[float]] = {}
        for values in workers:
            for key, value in values.get(name, {}).items():
                found.setdefault(key, []).append(value)
        rule = _RULES[family.joined]
        joined[name] = {key: rule(numbers) for key, numbers in found.items()}
    return joined


def metrics_of(values: Values) -> Iterable[Metric]:
    """The families again, for `generate_latest`."""
    for name, samples in values.items():
        metric = Metric(name, FAMILIES[name].text, FAMILIES[name].kind)
        for key, value in samples.items():
            sample, labels = orjson.loads(key)
            metric.add_sample(sample, labels, value)
        yield metric
