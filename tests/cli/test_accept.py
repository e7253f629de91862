"""`tunegate accept` keeps a promoted run, marks the matrix, and says what it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.cases import Matrix

from ..gate.judged import OUT_OF_REACH, copy_project, judge, make_judged
from ..project import Project
from .calling import call


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_judged(tmp_path_factory.mktemp("judged"))


@pytest.fixture
def project(template: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the run `a`, not yet judged, in which the command then works."""
    project = copy_project(template, tmp_path)
    monkeypatch.chdir(project.root)
    return Project(Path())


def roles() -> dict[str, str]:
    return {model.name: model.role for model in Matrix.load("fixtures/models.toml").models}


def test_promoted_model_becomes_the_baseline(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """The promoted row is the baseline, the one that it replaces is retired, comments stay, and all that is said."""
    judge(project)
    done = call(capsys, "accept", "a")
    assert done.status == 0, done.out
    assert done.out.splitlines() == [
        "accepted plain: PROMOTE on the run a, kept in reports/accepted/plain",
        "marked in fixtures/models.toml: plain is baseline now, prose is retired now",
    ]
    assert roles() == {"prose": "retired", "plain": "baseline"}
    text = Path("fixtures/models.toml").read_text()
    assert text.startswith("# The matrix of this test.\n")
    assert 'role = "retired"   # in words\n' in text


def test_former_baseline_may_stay(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--keep-baseline` its row keeps its role."""
    judge(project)
    assert call(capsys, "accept", "reports/runs/a", "--keep-baseline").status == 0
    assert roles() == {"prose": "baseline", "plain": "baseline"}


def test_what_is_no_baseline_is_not_retired(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A teacher that a model was held against stays a teacher."""
    matrix = Path("fixtures/models.toml")
    matrix.write_text(matrix.read_text().replace('role = "baseline"', 'role = "teacher"'))
    judge(project)
    assert call(capsys, "accept", "a").status == 0
    assert roles() == {"prose": "teacher", "plain": "baseline"}


def test_override_and_what_it_replaces_are_said(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """An acceptance against the verdict says so, and names the acceptance that it took the place of."""
    judge(project)
    assert call(capsys, "accept", "a").status == 0
    judge(project, policy=OUT_OF_REACH)
    refused = call(capsys, "accept", "a")
    assert refused.status == 4
    assert "the verdict on plain is INCONCLUSIVE, not PROMOTE" in refused.out
    done = call(capsys, "accept", "a", "--because", "the old one is switched off")
    assert done.status == 0
    assert "overridden: the verdict is INCONCLUSIVE, accepted because: the old one is switched off" in done.out
    assert "replaced: the run a, accepted at 20" in done.out


def test_unlisted_model_is_kept_and_its_row_shown(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that stands in no matrix is accepted all the same, with the row that would list it."""
    judge(project)
    matrix = Path("fixtures/models.toml")
    matrix.write_text(matrix.read_text().replace("[models.plain]", "[models.other]").replace("plain", "other"))
    listed = matrix.read_text()
    done = call(capsys, "accept", "a", "--keep-baseline")
    assert done.status == 0, done.out
    assert done.out.splitlines()[1:] == [
        "plain stands in no matrix: to ask it in later runs, add to fixtures/models.toml",
        '  [models."plain"]',
        '  endpoint = "here"',
        '  role = "baseline"',
        '  model = "plain"',
    ]
    assert matrix.read_text() == listed
    assert Path("reports/accepted/plain/records.jsonl").exists()


def test_row_that_is_shown_can_be_read(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no matrix at all, the row names the address that its endpoint needs."""
    judge(project)
    address = Matrix.load("fixtures/models.toml").endpoints[0].base_url
    Path("fixtures/models.toml").unlink()
    done = call(capsys, "accept", "a")
    assert done.status == 0, done.out
    assert f'endpoint = "..."    # an endpoint with base_url = "{address}"' in done.out


def test_broken_matrix_is_found_before_anything_is_kept(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A matrix that could not be marked stops the acceptance, not its second half."""
    judge(project)
    Path("fixtures/models.toml").write_text("[models")
    assert call(capsys, "accept", "a").status == 4
    assert not Path("reports/accepted").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "no run called 'nowhere'"),
        (("a",), "no verdict on the run a"),
        ((), "the following arguments are required: RUN"),
    ],
)
@pytest.mark.usefixtures("project")
def test_what_cannot_be_accepted_ends_with_four(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """A run that is not there, or was not judged, is a mistake of the command line."""
    ended = call(capsys, "accept", *arguments)
    assert ended.status == 4
    assert said in ended.out
