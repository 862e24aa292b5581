"""What else than a birth date tells people apart: attributes, as an identity provider gives them.

Values are compared with their type: true is not 1, and neither is "1".
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final

from shared.rules.model import AttributeValue, Cohort

# More ways to combine attributes than this cannot be looked through for overlaps and gaps.
MOST_COMBINATIONS: Final = 4_096

_Typed = tuple[type, AttributeValue]


class AttributeIndex:
    """Tells whom attributes keep out of which cohorts: bit i of a mask stands for the i-th."""

    def __init__(self, cohorts: Sequence[Cohort]) -> None:
        self._needs = [
            (1 << position, [(name, frozenset((type(value), value) for value in values)) for name, values in needs])
            for position, needs in enumerate(cohort.attributes for cohort in cohorts)
            if needs
        ]
        self._bits = sum(bit for bit, _ in self._needs)

    def narrow(self, mask: int, attributes: Mapping[str, AttributeValue]) -> int:
        """The mask without the cohorts whose attributes the person lacks."""
        if not mask & self._bits:
            return mask
        for bit, needs in self._needs:
            if mask & bit and not all(
                name in attributes and (type(attributes[name]), attributes[name]) in values for name, values in needs
            ):
                mask ^= bit
        return mask

    def combinations(self) -> Iterator[dict[str, AttributeValue]]:
        """Every way in which people can differ that some cohort looks at; the first has no attribute at all."""
        asked = self._asked()
        for values in product(*([None, *sorted(asked[name], key=repr)] for name in asked)):
            yield {name: value[1] for name, value in zip(asked, values, strict=True) if value is not None}

    def count(self) -> int:
        """How many combinations there are."""
        return math.prod(1 + len(values) for values in self._asked().values())

    def _asked(self) -> dict[str, set[_Typed]]:
        asked: dict[str, set[_Typed]] = {}
        for _, needs in self._needs:
            for name, values in needs:
                asked.setdefault(name, set()).update(values)
        return dict(sorted(asked.items()))
