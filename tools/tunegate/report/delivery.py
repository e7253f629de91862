"""Brings a verdict to the machines that wait for it: files, the summary of a CI's step, its annotations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tunegate.errors import UsageError
from tunegate.gate.verdict import Verdict
from tunegate.report.annotations import render_annotations
from tunegate.report.verdict_junit import render_junit
from tunegate.report.verdict_markdown import render_markdown

SUMMARY = "GITHUB_STEP_SUMMARY"
ACTIONS = "GITHUB_ACTIONS"


def tell_machines(
    verdict: Verdict,
    *,
    environment: Mapping[str, str],
    junit_file: Path | None = None,
    markdown_file: Path | None = None,
) -> list[str]:
    """Write the verdict where it is asked for; return lines that the log of a CI makes annotations of.

    The Markdown is also appended to the file that the variable GITHUB_STEP_SUMMARY names, and lines are returned
    where GITHUB_ACTIONS is true.

    Raises:
        UsageError: a file cannot be written.
    """
    summary = environment.get(SUMMARY)
    try:
        if junit_file is not None:
            junit_file.parent.mkdir(parents=True, exist_ok=True)
            junit_file.write_text(render_junit(verdict), encoding="utf-8")
        if markdown_file is not None:
            markdown_file.parent.mkdir(parents=True, exist_ok=True)
            markdown_file.write_text(render_markdown(verdict), encoding="utf-8")
        if summary:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(render_markdown(verdict) + "\n")
    except OSError as problem:
        raise UsageError(f"the verdict cannot be written to {problem.filename}: {problem.strerror}") from problem
    return render_annotations(verdict) if environment.get(ACTIONS) == "true" else []
