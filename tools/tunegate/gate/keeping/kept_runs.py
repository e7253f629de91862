"""Where the runs of a kept verdict lie, and whether they are still what its certificate names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tunegate.errors import RunError
from tunegate.gate.contest import ACCEPTED, RUNS
from tunegate.gate.keeping.certificate import Certificate, Side, digest_of_file, digest_of_run_file
from tunegate.gate.keeping.differences import Difference
from tunegate.gate.verdict import Verdict
from tunegate.runs import read_run
from tunegate.runs.folder import RECORDS

BASELINE = "baseline"
"""Subfolder of an accepted run in which the baseline's run lies, where that was another one."""


def find_runs(
    folder: Path, *, verdict: Verdict, certificate: Certificate, reports: Path, baseline: Path | None = None
) -> dict[Side, Path]:
    """Return the folder of each side's run; `folder` is the candidate's, `baseline` where the other is said to lie.

    Without `baseline` it is looked for in `folder`, among the runs and among the accepted. Where several have its
    name, the one with the certified records is meant.

    Raises:
        RunError: the baseline's run is nowhere.
    """
    if "baseline" not in certificate.records:
        return {"candidate": folder}
    name = verdict.baseline_run or verdict.candidate_run
    if baseline is not None:
        return {"candidate": folder, "baseline": baseline}
    places = [place for place in _places(folder, reports=reports, name=name) if _is_run(place, name=name)]
    wanted = certificate.records["baseline"].get(RECORDS)
    fitting = [place for place in places if digest_of_file(place / RECORDS) == wanted] or places
    if not fitting:
        raise RunError(
            f"the run {name}, which the baseline of {folder} comes from, is neither in {folder / BASELINE} nor below "
            f"{reports}\n  say where it is: --baseline FOLDER"
        )
    return {"candidate": folder, "baseline": fitting[0]}


def changed_file(folders: Mapping[Side, Path], *, certificate: Certificate) -> Difference | None:
    """Return the first file of the runs that is not as it was certified, None where all are."""
    for side, folder in folders.items():
        for name, wanted in certificate.records[side].items():
            path = folder / name
            difference = compare_digests(wanted, digest_of_run_file(path), place=str(path))
            if difference is not None:
                return difference
    return None


def compare_digests(wanted: str, found: str | None, *, place: str) -> Difference | None:
    """Return how the digest of a file differs, None where it does not; `place` is what the file is called."""
    if found == wanted:
        return None
    return Difference(place, f"SHA-256 {wanted}", f"SHA-256 {found}" if found else "no such file")


def _places(folder: Path, *, reports: Path, name: str) -> Iterator[Path]:
    yield folder / BASELINE
    yield reports / RUNS / name
    for accepted in sorted((reports / ACCEPTED).glob("*")):
        yield accepted
        yield accepted / BASELINE


def _is_run(place: Path, *, name: str) -> bool:
    try:
        return bool(read_run(place)["run"] == name)
    except (RunError, OSError, KeyError):
        return False
