"""Ctrl-C while the end of a run waits for its workers."""

from __future__ import annotations

from ..project import Project

INTERRUPTED_AT_THE_END = """

def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        raise KeyboardInterrupt
"""


def test_ctrl_c_at_the_end_leaves_a_run_that_says_so(project: Project) -> None:
    """Once all is answered, Ctrl-C takes neither the end from run.json nor the summary from the terminal."""
    door = project.root / "conftest.py"
    door.write_text(door.read_text() + INTERRUPTED_AT_THE_END)
    result = project.run("--record=missing", "--model", "plain", "--run", "a")
    header = project.header("a")
    assert result.status == header["exit_status"] == 2, result.out
    assert (header["status"], header["states"]) == ("finished", {"answered": 6})
    assert "6 live calls" in result.out
    assert "Traceback" not in result.out
