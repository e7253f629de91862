"""What a replay waits for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_shares_load_neither_numpy_nor_scipy() -> None:
    """A replay that only shows shares imports no numerical library: their import takes longer than many a replay."""
    code = (
        "import sys\n"
        "from tunegate.stats import clustered_share, paired_difference, ratio_of_means\n"
        "clustered_share([(3, 4), (4, 4)]), paired_difference([(3, 4)], [(4, 4)]), ratio_of_means([1, 2], [2, 3])\n"
        "print(sorted({'numpy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
