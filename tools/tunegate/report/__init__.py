"""What a run shows to people."""

from tunegate.report.progress import render_progress
from tunegate.report.table import Tally, render_table

__all__ = ["Tally", "render_progress", "render_table"]
