"""The root of every error this project raises on purpose."""

from collections.abc import Sequence


class SunbeonError(Exception):
    """Something went wrong that the reader of the message can do something about."""


class SettingsError(SunbeonError):
    """One or more settings are wrong. `problems` has a line for each, naming the setting."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
