"""Which of our languages a visitor reads best."""

import re

from gateway.settings import LANGUAGES

__all__ = ["LANGUAGES", "pick_language"]

# A browser sends under 200 characters. What is longer is noise or an attack, and its start says enough.
_LONGEST = 512
_RANGE = re.compile(
    r"\s*([a-z]{1,8}|\*)(?:-[a-z0-9-]{0,64})?\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?", re.IGNORECASE
)


def pick_language(accept_language: str | None, default: str = "en") -> str:
    """Choose from `LANGUAGES` by an `Accept-Language` header (RFC 9110, 12.5.4), however broken it is.

    Entries that cannot be read are skipped; `default` answers when nothing fits, and stands for ``*``.
    Equal weights: the one named first. Never raises; work is bounded whatever the length.
    """
    best, best_weight = default, 0.0
    for entry in (accept_language or "")[:_LONGEST].split(","):
        match = _RANGE.fullmatch(entry)
        if match is None:
            continue
        name = default if match[1] == "*" else match[1].lower()
        weight = min(float(match[2] or 1), 1.0)
        if name in LANGUAGES and weight > best_weight:
            best, best_weight = name, weight
    return best
