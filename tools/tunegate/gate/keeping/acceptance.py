"""Taking a promoted model's run under `reports/accepted/`: what later candidates are held against."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from tunegate.cassettes.address import quote_name
from tunegate.errors import RunError, UsageError
from tunegate.gate.contest import accepted_folder
from tunegate.gate.keeping.certificate import Certificate, Side, digest_of_verdict, read_plain
from tunegate.gate.keeping.kept_runs import BASELINE, changed_file, find_runs
from tunegate.gate.keeping.policy_check import compare_policy
from tunegate.gate.noise.file import NOISE
from tunegate.gate.policy_file import load_policy
from tunegate.gate.ratings import RATINGS
from tunegate.gate.verdict import Decision, Verdict
from tunegate.gate.verdict_file import VERDICT, read_verdict, write_verdict
from tunegate.runs import read_run
from tunegate.runs.folder import HEADER, RECORDS

_KEPT = (HEADER, RECORDS, RATINGS, NOISE)
"""Files of a run that are kept, those of them that there are."""


@dataclass(frozen=True)
class Replaced:
    """The acceptance that a new one took the place of."""

    run: str
    at: str | None


@dataclass(frozen=True)
class Acceptance:
    """A run that was accepted."""

    folder: Path
    model: str
    run: str
    decision: Decision
    because: str | None
    """Why; never None where the verdict is not PROMOTE."""
    replaced: Replaced | None


def accept_run(
    folder: Path,
    *,
    reports: Path,
    fixtures: Path,
    at: datetime,
    model: str | None = None,
    because: str | None = None,
    baseline: Path | None = None,
) -> Acceptance:
    """Copy the run in `folder`, with its verdict and its baseline, to where accepted runs lie.

    The new folder appears whole or not at all, and only then the older acceptance of the model goes. `model` names the
    candidate where the verdict is on several, `because` accepts one whose verdict is not PROMOTE, `baseline` says where
    the baseline's run lies if it is not in `reports`.

    Raises:
        UsageError: the run is not finished, has no verdict, or one that does not promote the model or is not on
            exactly these records or not by the rules in force.
        RunError: a file cannot be read or written.
    """
    header = read_run(folder)
    if header["status"] != "finished":
        raise UsageError(
            f"the run {header['run']} is {header['status']}, not finished: what it would have shown is not known\n"
            "  run its command again, and gate that run"
        )
    if not (folder / VERDICT).exists():
        raise UsageError(
            f"no verdict on the run {header['run']}\n  make one first, whatever it says: tunegate gate {folder}"
        )
    verdict = read_verdict(folder)
    certificate = _certificate_of(folder)
    folders = find_runs(folder, verdict=verdict, certificate=certificate, reports=reports, baseline=baseline)
    _refuse_changes(verdict, certificate=certificate, folders=folders, fixtures=fixtures)
    decision = _decision_on(verdict, model=model)
    if because is not None and not because.strip():
        raise UsageError("--because is empty: say why, in words that somebody understands in a year")
    because = because.strip() if because is not None else None
    if decision.word != "PROMOTE" and because is None:
        raise UsageError(
            f"the verdict on {decision.candidate} is {decision.word}, not PROMOTE: {'; '.join(decision.reasons)}\n"
            '  to accept it all the same, and keep why: --because "..."'
        )
    in_force = load_policy(None, fixtures=fixtures)
    if in_force.digest != verdict.policy.digest and because is None:
        raise UsageError(
            f"the verdict is by the rules of {verdict.policy.origin}, and those in force are of {in_force.origin}\n"
            f"  judge it by those: tunegate gate {folder}\n"
            '  or accept it by the others, and keep why: --because "..."'
        )
    note = {"at": at.isoformat(timespec="seconds"), "model": decision.candidate, "because": because}
    place = accepted_folder(decision.candidate, reports=reports)
    try:
        replaced = _keep(folders, place=place, verdict=replace(verdict, accepted=note), certificate=certificate)
    except OSError as problem:
        raise RunError(f"cannot write {place}: {problem.strerror}") from problem
    return Acceptance(place, decision.candidate, str(header["run"]), decision, because, replaced)


def _certificate_of(folder: Path) -> Certificate:
    plain = read_plain(folder)
    certificate = Certificate.from_plain(plain["certificate"])
    if digest_of_verdict(plain) != certificate.digest:
        raise UsageError(
            f"{folder / VERDICT} was changed after it was written: its digest is another\n{_again(folder)}"
        )
    return certificate


def _refuse_changes(
    verdict: Verdict, *, certificate: Certificate, folders: Mapping[Side, Path], fixtures: Path
) -> None:
    difference = changed_file(folders, certificate=certificate) or compare_policy(
        verdict.policy, certificate=certificate, fixtures=fixtures
    )
    if difference is not None:
        raise UsageError(
            f"{difference.place} is not what the verdict was made from: wanted {difference.wanted}, "
            f"found {difference.found}\n{_again(folders['candidate'])}"
        )


def _decision_on(verdict: Verdict, *, model: str | None) -> Decision:
    names = [decision.candidate for decision in verdict.decisions]
    if model is None and len(names) > 1:
        raise UsageError(f"the verdict is on {len(names)} candidates, name one: --model {' or --model '.join(names)}")
    chosen = [decision for decision in verdict.decisions if model in (None, decision.candidate)]
    if not chosen:
        raise UsageError(
            f"the verdict is on {', '.join(names) or 'no candidate'}, not on {model or 'any'}\n"
            f"  judge it first: tunegate gate {verdict.candidate_run} --model {model or 'NAME'}"
        )
    return chosen[0]


def _keep(folders: Mapping[Side, Path], *, place: Path, verdict: Verdict, certificate: Certificate) -> Replaced | None:
    """Write the folder beside its place, then put it there; what was killed half way is completed or cleared."""
    # Not below accepted/: whatever lies there is an accepted model.
    draft = place.parent.parent / f".accepting-{quote_name(place.name)}"
    older = place.parent.parent / f".replaced-{quote_name(place.name)}"
    place.parent.mkdir(parents=True, exist_ok=True)
    if older.exists() and not place.exists():
        os.rename(older, place)
    shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(older, ignore_errors=True)
    try:
        copies: dict[Side, Path] = {"candidate": draft, "baseline": draft / BASELINE}
        for side, source in folders.items():
            _copy(source, copies[side])
        write_verdict(draft, verdict)
        copied = changed_file({side: copies[side] for side in folders}, certificate=certificate)
        if copied is not None:
            raise RunError(f"{copied.place} changed while it was copied: nothing was accepted")
        replaced = _what_is_at(place)
        if place.exists():
            os.rename(place, older)
        os.rename(draft, place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(older, ignore_errors=True)
    return replaced


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for name in _KEPT:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def _what_is_at(place: Path) -> Replaced | None:
    """Return what was accepted before; a folder that nobody can read is told by its name."""
    if not place.exists():
        return None
    try:
        verdict = read_verdict(place)
        return Replaced(verdict.candidate_run, str((verdict.accepted or {}).get("at")))
    except RunError:
        return Replaced(place.name, None)


def _again(folder: Path) -> str:
    return f"  judge it again: tunegate gate {folder}"
