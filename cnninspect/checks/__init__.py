"""What `compare` decides: an expectation about a network per file, each of which adds its checks to the report."""

from __future__ import annotations

from cnninspect.checks.formulas import check_formulas, exit_code, is_incomplete, with_checks

__all__ = ["check_formulas", "exit_code", "is_incomplete", "with_checks"]
