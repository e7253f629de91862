"""The patterns of use that a break-even can be computed for: break_even.toml."""

from __future__ import annotations

from pathlib import Path

from tunegate.cases.names import list_names, show_path
from tunegate.cases.own_rows import read_own_rows
from tunegate.cases.toml_file import read_toml
from tunegate.cost import Scenario
from tunegate.errors import CaseFileError, UsageError

FILE = "break_even.toml"


def load_scenario(name: str, *, fixtures: Path) -> Scenario:
    """Return the scenario of a name from the case files.

    Raises:
        UsageError: there is none of that name, or no file of them.
        CaseFileError: the file is no TOML, or a scenario cannot be meant as it stands.
    """
    path = fixtures / FILE
    try:
        file = read_toml(path, error=CaseFileError)
    except FileNotFoundError:
        raise UsageError(
            f"no scenario called {name!r}: {show_path(path)}, which would hold them, is not there\n"
            "  write one ([[scenarios]]), or go without: --candidate-tokens IN,OUT --baseline-tokens IN,OUT "
            "--training-tokens N"
        ) from None
    except OSError as problem:
        raise CaseFileError(f"cannot read {show_path(path)}: {problem.strerror}") from problem
    rows = read_own_rows(file.table, "scenarios", kind=Scenario, spot=file.spot)
    scenarios: dict[str, Scenario] = {}
    for number, row in enumerate(rows, start=1):
        place = file.spot / "scenarios" / str(number)
        if row.name in scenarios:
            (place / "name").refuse(wanted="one scenario of a name", found=f"a second {row.name!r}")
        for key in ("prompt_tokens", "completion_tokens", "training_tokens", "epochs", "instruction_tokens"):
            least = 0 if key == "instruction_tokens" else 1
            if getattr(row, key) < least:
                (place / key).refuse(wanted=f"{least} or more", found=getattr(row, key))
        scenarios[row.name] = row
    if name not in scenarios:
        raise UsageError(f"no scenario called {name!r} in {show_path(path)}\n"
                         f"  there are: {list_names(name, tuple(scenarios))}")  # fmt: skip
    return scenarios[name]
