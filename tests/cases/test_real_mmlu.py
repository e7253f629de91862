"""The real MMLU, where TUNEGATE_MMLU says it lies (its test and dev folders of CSV files)."""

from __future__ import annotations

import os

import pytest

from tunegate.cases import read_bank

WHERE = os.environ.get("TUNEGATE_MMLU")
pytestmark = pytest.mark.skipif(not WHERE, reason="TUNEGATE_MMLU names no folder of MMLU's CSV files")


def test_real_questions_are_all_read() -> None:
    """MMLU has 14,042 test questions of 57 subjects and five worked ones for each."""
    bank = read_bank(WHERE or "")
    assert (len(bank.test), len(bank.dev), len(bank.subjects())) == (14_042, 285, 57)
    assert len(bank.batches()) == 3491
    assert sum(bank.leftovers().values()) == 14_042 - 4 * 3491
    assert len(bank.solved(71)) == 71
    assert bank.batches(limit=1, subjects=["professional_law"])[0].id.startswith("professional_law-")
