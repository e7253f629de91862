"""What docs/stability.md says of its own policy and of forty questions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tunegate.gate.policy_file import load_policy
from tunegate.stats import Interval, paired_difference, wilson

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "stability.md").read_text(encoding="utf-8")
QUESTIONS = 40


def limits(lost: int) -> Interval:
    """Return the difference of a fine-tune that lost so many of the questions, all of which its base knew."""
    found = paired_difference([(float(number >= lost), 1) for number in range(QUESTIONS)], [(1.0, 1)] * QUESTIONS)
    assert isinstance(found, Interval)
    return found


def share(passed: int, n: int) -> Interval:
    found = wilson(passed, n)
    assert isinstance(found, Interval)
    return found


@pytest.mark.parametrize(
    ("margin", "holds", "broken"),
    re.findall(r"\| `not_worse_by = (0\.\d+)` \| (.*?) \| from (\d+) lost \|", DOC),
)
def test_forty_questions_know_what_the_doc_says(margin: str, holds: str, broken: str) -> None:
    """The table of what is shown to hold and to be broken is that of the paired difference."""
    lost = [count for count in range(QUESTIONS) if limits(count).low > -float(margin)]
    told = {0: "with none lost"}.get(lost[-1], f"with at most {lost[-1]} lost") if lost else "never"
    assert holds.partition(":")[0] == told
    assert min(count for count in range(QUESTIONS) if limits(count).high < -float(margin)) == int(broken)


def test_numbers_in_the_doc_are_those_of_the_intervals() -> None:
    """The floor of an unchanged model, the cases that agreement needs, and the replies that break a guard are right."""
    assert DOC.count("| `not_worse_by = 0") == 4
    words = " ".join(DOC.split())
    assert f"reaches {-100 * limits(0).low:.1f} points below 0" in words
    needed = min(n for n in range(1, 200) if share(n, n).low > 0.95)
    assert f"from {needed} cases that all agree" in words
    most = max(k for k in range(13) if share(k, 12).high < 0.75)
    assert f"where {most} or fewer of 12 replies are intact" in words


def test_policies_in_the_doc_can_be_read(tmp_path: Path) -> None:
    """Every policy that the page shows is one."""
    found = re.findall(r"```toml\n(.*?)```", DOC, re.DOTALL)
    for policy in found:
        (tmp_path / "gates.toml").write_text(policy)
        load_policy(None, fixtures=tmp_path)
    assert len(found) == 2
