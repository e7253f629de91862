"""What a run and its verdict show: to people on a terminal and on a page, and to the machines of a CI."""

from tunegate.report.annotations import render_annotations
from tunegate.report.progress import render_progress
from tunegate.report.table import Tally, render_table
from tunegate.report.verdict_junit import JunitCase, junit_cases, render_junit
from tunegate.report.verdict_markdown import render_markdown
from tunegate.report.verdict_text import render_verdict

__all__ = [
    "JunitCase",
    "Tally",
    "junit_cases",
    "render_annotations",
    "render_junit",
    "render_markdown",
    "render_progress",
    "render_table",
    "render_verdict",
]
