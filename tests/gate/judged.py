"""A project whose runs were judged, laid out once and copied for each test."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tunegate.gate.contest import open_contest
from tunegate.gate.keeping.certificate import certify
from tunegate.gate.policy_file import load_policy
from tunegate.gate.verdict import Verdict
from tunegate.gate.verdict_file import write_verdict
from tunegate.testing import ScriptedEndpoint

from ..project import Project, answer, make_project

POLICY = """
[[rules]]
name = "shape"
metric = "schema"
min = 0.3

[[rules]]
name = "shape kept"
metric = "schema"
not_worse_by = 0.5
"""
"""Six cases are enough to show both of a model that answers right beside one that does not."""
OUT_OF_REACH = POLICY.replace("min = 0.3", "min = 0.99")
"""Six right answers of six do not show as much: INCONCLUSIVE."""


def make_judged(root: Path) -> Project:
    """Lay out a project with the run `a`: the candidate `plain` answers right, the baseline `prose` never.

    The endpoint is gone when this returns.
    """
    root.mkdir(parents=True, exist_ok=True)
    with ScriptedEndpoint(answer) as endpoint:
        project = make_project(root, base_url=endpoint.base_url)
        (root / "fixtures" / "models.toml").write_text(
            "# The matrix of this test.\n"
            f'[endpoints.here]\nbase_url = "{endpoint.base_url}"\n\n'
            '[models.prose]\nendpoint = "here"\nrole = "baseline"   # in words\n\n'
            '[models.plain]\nendpoint = "here"\nrole = "candidate"\n'
        )
        (root / "fixtures" / "gates.toml").write_text(POLICY)
        for arguments in ((), ("--limit", "2", "--seed", "7", "--shots", "1", "--repeat", "2", "--no-stream")):
            recorded = project.run("--record=missing", "--run", f"live{len(arguments)}", *arguments)
            assert recorded.status == 0, recorded.out
    replayed = project.run("--run", "a")
    assert replayed.status == 0, replayed.out
    return project


def copy_project(project: Project, root: Path) -> Project:
    """Return a copy of a project in another place."""
    shutil.copytree(project.root, root, dirs_exist_ok=True)
    return Project(root)


@dataclass(frozen=True)
class Places:
    """The folders of a project that a gate is told."""

    project: Project

    @property
    def reports(self) -> Path:
        return self.project.root / "reports"

    @property
    def fixtures(self) -> Path:
        return self.project.root / "fixtures"

    def run(self, name: str) -> Path:
        """Return the folder of a run."""
        return self.reports / "runs" / name


def judge(
    project: Project,
    run: str = "a",
    *,
    policy: str | None = None,
    baseline: str | None = None,
    against: str | None = None,
    until_decided: bool = False,
) -> Verdict:
    """Judge a run as `tunegate gate` does, and keep the verdict; `policy` is what gates.toml says from now on."""
    places = Places(project)
    if policy is not None:
        (places.fixtures / "gates.toml").write_text(policy)
    contest = open_contest(
        places.run(run),
        policy=load_policy(None, fixtures=places.fixtures),
        reports=places.reports,
        fixtures=places.fixtures,
        baseline=baseline,
        against=against,
        until_decided=until_decided,
    )
    verdict = certify(contest.judge(), contest)
    write_verdict(places.run(run), verdict)
    return verdict
