"""What the benchmarks make of what they measure."""

from __future__ import annotations

import sys

from fidelity import count_needless, pace_of
from measuring import compare, render_table, run_command, state
from mock_process import Stamped

BUSY_CHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; held = bytearray(900_000_000); end = time.process_time() + 0.05\\n"
                "while time.process_time() < end: pass"], check=True)
sys.exit(3)
"""


def stamped(fingerprint: str, *, outcome: str = "answered", second: int = 0, tokens: int = 100) -> Stamped:
    status = {"answered": 200, "rejected": 429, "left": None}[outcome]
    return Stamped(fingerprint, "", 1, tokens, second * 10**9, None, None, status, outcome)


def test_cost_of_a_command_includes_its_workers(tmp_path):
    """CPU and the largest process are those of the command and what it started, and of no command before it."""
    large = run_command([sys.executable, "-c", BUSY_CHILD], cwd=tmp_path)
    small = run_command([sys.executable, "-c", "print('done')"], cwd=tmp_path)
    assert large.status == 3
    assert large.peak_mb > 800
    assert large.cpu_s > 0.05
    assert small.out == "done\n"
    # Linux counts what the parent held when it forked: the child must be larger than whoever runs the tests.
    assert small.peak_mb < large.peak_mb


def test_ratio_is_formed_in_each_round():
    """The table shows the median of the rounds' ratios, and the target is held against it."""
    row = compare("live", "a run", ours=[2.0, 3.0, 9.0], floor=[1.0, 3.0, 3.0], at_most=2.0)
    assert row.ratios == (2.0, 1.0, 3.0)
    assert row.is_met
    assert not compare("live", "a run", ours=[2.1], floor=[1.0], at_most=2.0).is_met
    assert "| live | a run | 3 s (2–9) | 3 s (1–3) | 2 × (1–3) | ≤ 2 × | met |" in render_table([row])


def test_unmeasured_number_is_neither_met_nor_missed():
    """A row without values says so."""
    assert "| – | – | – | 0 | – |" in render_table([state("x", "y", values=[], target="0", is_met=None)])


def test_needless_attempts_come_after_a_whole_answer():
    """An attempt after a broken one is needed, one after a whole reply is not."""
    log = [stamped("a", outcome="left"), stamped("a"), stamped("b"), stamped("a"), stamped("b", outcome="left")]
    assert count_needless(log) == 2


def test_pace_is_the_use_of_the_scarcer_allowance():
    """Half the tokens and a tenth of the requests of a minute are a use of half; a 429 counts as rejected only."""
    log = [stamped(str(second), second=second, tokens=500) for second in range(61)]
    rejected, used = pace_of([*log, stamped("x", outcome="rejected", second=60)])
    assert round(rejected, 2) == round(100 / 62, 2)
    assert round(used, 1) == round(61 * 500 / 600, 1)
