"""Whether a verdict still stands: everything it was made from is looked at, replayed, and judged again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tunegate.exchanges import canonical_json
from tunegate.gate.contest import open_contest
from tunegate.gate.keeping.certificate import (
    Certificate,
    Side,
    digest_of_file,
    digest_of_verdict,
    models_of,
    read_plain,
    replayed_case_files,
    used_cassettes,
)
from tunegate.gate.keeping.differences import Difference, first_difference
from tunegate.gate.keeping.kept_runs import changed_file, compare_digests, find_runs
from tunegate.gate.keeping.policy_check import compare_policy
from tunegate.gate.keeping.replaying import Replay, Rerun, replay_run
from tunegate.gate.verdict import Verdict
from tunegate.gate.verdict_file import VERDICT, read_verdict, to_plain
from tunegate.runs import read_run, versions


@dataclass(frozen=True)
class Step:
    """One thing that was looked at."""

    name: str
    said: str = ""
    """What was found in order, or why it was left out."""
    difference: Difference | None = None
    """Then nothing more is looked at."""


@dataclass(frozen=True)
class Project:
    """Where things lie that a verdict was made from."""

    root: Path
    reports: Path
    fixtures: Path
    baseline: Path | None = None
    """The baseline's run, where it is not in `reports`."""
    questions: str | None = None
    """The bank that was asked, where it is not in the project."""


@dataclass(frozen=True)
class Kept:
    """A verdict with what its certificate says."""

    plain: Mapping[str, Any]
    verdict: Verdict
    certificate: Certificate
    folder: Path


def read_kept(folder: Path) -> Kept:
    """Read the verdict in a run folder.

    Raises:
        RunError: there is none, or none with a certificate.
    """
    plain = read_plain(folder)
    return Kept(plain, read_verdict(folder), Certificate.from_plain(plain["certificate"]), folder)


def verify_verdict(kept: Kept, *, project: Project, replay: Replay | None) -> Iterator[Step]:
    """Look at everything that a verdict was made from, a step at a time, up to the first thing that differs.

    `replay` calls pytest; None leaves the replay out.

    Raises:
        RunError: something that is needed is not here, or cannot be read.
    """
    for step in _steps(kept, project=project, replay=replay):
        yield step
        if step.difference is not None:
            return


def _steps(kept: Kept, *, project: Project, replay: Replay | None) -> Iterator[Step]:
    certificate = kept.certificate
    yield _check_itself(kept)
    difference = compare_policy(kept.verdict.policy, certificate=certificate, fixtures=project.fixtures)
    yield Step("policy", f"{len(kept.verdict.policy.rules)} rules from {kept.verdict.policy.origin}", difference)
    yield _check_case_files(certificate, project=project)
    yield _check_cassettes(certificate, project=project)
    folders = find_runs(
        kept.folder,
        verdict=kept.verdict,
        certificate=certificate,
        reports=project.reports,
        baseline=project.baseline,
    )
    difference = changed_file(folders, certificate=certificate)
    yield Step("records", ", ".join(f"{side} {folder}" for side, folder in folders.items()), difference)
    headers = {side: read_run(folder) for side, folder in folders.items()}
    for side, folder in folders.items():
        models = models_of(kept.verdict, side, folders)
        if replay is None:
            yield Step("replay", f"{side}: left out")
        elif (why := _other_sources(headers[side], models, certificate=certificate)) is not None:
            yield Step("replay", f"{side}: left out, its run had another {why} than the candidate's")
        else:
            yield _replay(folder, headers[side], models, side=side, project=project, replay=replay)
    yield _judge_again(kept, folders)


def _check_itself(kept: Kept) -> Step:
    found = digest_of_verdict(kept.plain)
    if found != kept.certificate.digest:
        wanted = f"SHA-256 {kept.certificate.digest}, which its certificate names"
        return Step("certificate", difference=Difference(str(kept.folder / VERDICT), wanted, f"SHA-256 {found}"))
    model = (kept.verdict.accepted or {}).get("model")
    judged = [decision.candidate for decision in kept.verdict.decisions]
    if model is not None and model not in judged:
        place = f"{kept.folder / VERDICT}, accepted.model"
        return Step("certificate", difference=Difference(place, f"one of {', '.join(judged)}", str(model)))
    here = versions()
    others = [
        f"{name} {version}, here {here.get(name)}"
        for name, version in kept.certificate.versions.items()
        if here.get(name) != version
    ]
    return Step("certificate", f"SHA-256 {found}" + (f"; made with {', '.join(others)}" if others else ""))


def _check_case_files(certificate: Certificate, *, project: Project) -> Step:
    for place, wanted in certificate.fixtures.items():
        path = project.fixtures / place
        difference = compare_digests(wanted, digest_of_file(path), place=str(path))
        if difference is not None:
            return Step("case files", difference=difference)
    return Step("case files", f"{len(certificate.fixtures)} in {project.fixtures}")


def _check_cassettes(certificate: Certificate, *, project: Project) -> Step:
    known = {place: digest for place, digest in certificate.cassettes.items() if digest is not None}
    for place, wanted in known.items():
        difference = compare_digests(wanted, digest_of_file(project.root / place), place=place)
        if difference is not None:
            return Step("cassettes", difference=difference)
    unknown = [place for place in certificate.cassettes if place not in known]
    left = f", and {len(unknown)} of which the run could not name a digest" if unknown else ""
    return Step("cassettes", f"{len(known)}{left}")


def _other_sources(header: Mapping[str, Any], models: tuple[str, ...], *, certificate: Certificate) -> str | None:
    """Return what a side's run was made from that was another when the candidate's was, None where all is the same."""
    for place, digest in replayed_case_files(header).items():
        if certificate.fixtures.get(place) != digest:
            return f"fixtures/{place}"
    for place, recorded in used_cassettes(header, models).items():
        if certificate.cassettes.get(place) != recorded:
            return place
    return None


def _replay(
    folder: Path,
    header: Mapping[str, Any],
    models: tuple[str, ...],
    *,
    side: Side,
    project: Project,
    replay: Replay,
) -> Step:
    with tempfile.TemporaryDirectory(prefix="tunegate-") as scratch:
        compared = replay_run(
            Rerun(
                folder=folder,
                header=header,
                models=models,
                root=project.root,
                fixtures=project.fixtures,
                scratch=Path(scratch),
                questions=project.questions,
            ),
            replay=replay,
        )
    left = f", {compared.unscored} without a score cannot be replayed" if compared.unscored else ""
    said = f"{side}: {compared.records} records of {', '.join(models)}{left}"
    return Step("replay", said, compared.difference)


def _judge_again(kept: Kept, folders: Mapping[Side, Path]) -> Step:
    """Make the verdict again from the kept records, policy and prices alone."""
    decisions = kept.verdict.decisions
    opponents = {decision.baseline for decision in decisions} - {None}
    with tempfile.TemporaryDirectory(prefix="tunegate-") as nothing:
        contest = open_contest(
            folders["candidate"],
            policy=kept.verdict.policy,
            # No price list and no accepted run of today has a say.
            reports=Path(nothing),
            fixtures=Path(nothing),
            baseline=str(folders.get("baseline", folders["candidate"])) if opponents else None,
            against=next(iter(opponents), None),
            patterns=[decision.candidate for decision in decisions],
            until_decided=any(decision.cases_used is not None for decision in decisions),
        )
    again = replace(contest, prices=kept.certificate.prices).judge()
    found = json.loads(canonical_json(to_plain(again)))
    wanted = {key: value for key, value in kept.plain.items() if key not in ("certificate", "accepted")}
    difference = first_difference(wanted, found)
    if difference is not None:
        difference = replace(difference, place=f"the verdict made again, {difference.place}")
    return Step("verdict", f"{again.word}, made again from the records", difference)
