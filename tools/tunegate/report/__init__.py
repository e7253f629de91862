"""What a run shows to people."""

from tunegate.report.table import Tally, render_table

__all__ = ["Tally", "render_table"]
