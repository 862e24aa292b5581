"""The gateway whose operator API the commands ask."""

from gateway.console.tests.conftest import site

__all__ = ["site"]
