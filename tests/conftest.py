"""What holds for all tests."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the figures that the tests measured (`record_property`), also when they ran on several cores."""
    for report in terminalreporter.stats.get("passed", []):
        for name, text in getattr(report, "user_properties", ()):
            terminalreporter.write_line(f"{name}: {text}")
