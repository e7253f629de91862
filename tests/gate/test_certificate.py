"""The certificate names all that a verdict was made from, and a change of any of it changes a digest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tunegate.cost import Price, Rates
from tunegate.errors import RunError
from tunegate.gate.contest import open_contest
from tunegate.gate.keeping.certificate import (
    Certificate,
    certify,
    digest_of_run_file,
    digest_of_verdict,
    models_of,
    replayed_case_files,
    used_cassettes,
)
from tunegate.gate.policy import Policy, Rule
from tunegate.gate.verdict_file import read_verdict, to_plain, write_verdict

from ..project import Project
from .judged import Places, copy_project, judge, make_judged


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_judged(tmp_path_factory.mktemp("judged"))


@pytest.fixture
def project(template: Project, tmp_path: Path) -> Project:
    """A project with the run `a`, not yet judged."""
    return copy_project(template, tmp_path)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def certificate_of(plain: dict[str, Any]) -> Certificate:
    return Certificate.from_plain(plain["certificate"])


def test_everything_that_was_used_is_named(project: Project) -> None:
    """Records, run.json, recordings, case files, prompts, policy, versions and commit are those of the run."""
    verdict = judge(project)
    certificate = certificate_of(to_plain(verdict))
    folder, header = Places(project).run("a"), project.header("a")
    assert set(certificate.records["candidate"]) == {"records.jsonl", "run.json"}
    assert certificate.records["candidate"]["records.jsonl"] == sha256(folder / "records.jsonl")
    assert certificate.cassettes == {
        f"cassettes/format/{model}.json": sha256(project.cassette(model)) for model in ("prose", "plain")
    }
    assert set(certificate.fixtures) == {
        "schemas/answer_list.json",
        *(f"questions/{part}/{subject}_{part}.csv" for part in ("test", "dev") for subject in ("colours", "sums")),
    }
    assert all(sha256(project.root / "fixtures" / place) == digest for place, digest in certificate.fixtures.items())
    assert certificate.prompts == {"candidate": header["prompts"]}
    assert (certificate.policy, certificate.prices) == (verdict.policy.digest, {})
    assert (certificate.versions, certificate.commit) == (header["versions"], header["commit"])


def test_certificate_survives_its_file(project: Project) -> None:
    """Written, read and written again, the verdict keeps its digest; certified again, it gets the same."""
    verdict = judge(project)
    folder = Places(project).run("a")
    plain = json.loads((folder / "verdict.json").read_text())
    assert digest_of_verdict(plain) == plain["certificate"]["digest"]
    write_verdict(folder, read_verdict(folder))
    assert json.loads((folder / "verdict.json").read_text()) == plain
    assert judge(project) == verdict


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


def test_any_change_of_the_verdict_changes_its_digest(project: Project) -> None:
    """Whatever value of verdict.json is changed, its certificate's digest is not that of the file any more."""
    plain = json.loads(json.dumps(to_plain(judge(project))))
    places = [path for path in leaves(plain) if path != ("certificate", "digest")]
    assert len(places) > 100
    for path in places:
        changed = json.loads(json.dumps(plain))
        spot = changed
        for key in path[:-1]:
            spot = spot[key]
        spot[path[-1]] = "another"
        assert digest_of_verdict(changed) != plain["certificate"]["digest"], path


def test_acceptance_is_no_part_of_what_was_certified(project: Project) -> None:
    """A verdict that is accepted later is the same verdict."""
    verdict = judge(project)
    accepted = replace(verdict, accepted={"at": "2026-11-22T00:00:00+00:00", "model": "plain", "because": None})
    assert digest_of_verdict(to_plain(accepted)) == digest_of_verdict(to_plain(verdict))


def test_exit_status_may_be_the_verdicts_own(project: Project) -> None:
    """run.json counts by what it says, but for the status that the process ended with after the verdict was made."""
    path = Places(project).run("a") / "run.json"
    before = digest_of_run_file(path)
    header = json.loads(path.read_text())
    path.write_text(json.dumps(header | {"exit_status": 10}))
    assert digest_of_run_file(path) == before
    path.write_text(json.dumps(header | {"not_run": 1}))
    assert digest_of_run_file(path) != before
    path.write_text("{")
    assert digest_of_run_file(path) == sha256(path)


def test_baseline_of_another_run_is_named_beside(project: Project) -> None:
    """Each side names its own records; of each run the recordings of the models that were judged count, no others."""
    places = Places(project)
    shutil.copytree(places.run("a"), places.run("b"))
    header = json.loads((places.run("b") / "run.json").read_text())
    (places.run("b") / "run.json").write_text(json.dumps(header | {"run": "b", "prompts": "other"}))
    certificate = certificate_of(to_plain(judge(project, baseline="b", against="prose")))
    assert set(certificate.records) == {"candidate", "baseline"}
    assert certificate.prompts == {"candidate": project.header("a")["prompts"], "baseline": "other"}
    assert set(certificate.cassettes) == {"cassettes/format/plain.json", "cassettes/format/prose.json"}


def test_models_that_were_not_judged_need_no_recordings() -> None:
    """A run may hold more models than a verdict is on: theirs is not what it was made from."""
    header = {"cassettes": {"cassettes/format/a.json": "1", "cassettes/format/ft%3Ab.json": "2"}}
    assert used_cassettes(header, ["ft:b"]) == {"cassettes/format/ft%3Ab.json": "2"}


def test_generators_and_notes_are_no_case_files() -> None:
    """A replay reads questions, schemas and tables; packages that make them, READMEs and the tables that are kept
    otherwise do not change it."""
    read = ["questions/test/sums_test.csv", "schemas/a.json", "scenarios/models.toml"]
    others = [
        "README.md", "models.toml", "prices.toml", "gates.toml", "bank/__init__.py", "bank/ruff.toml",
        "bank/subjects/__init__.py", "bank/subjects/sums.py", "questions/README.md",
    ]  # fmt: skip
    header = {"digests": dict.fromkeys([*read, *others], "0")}
    assert list(replayed_case_files(header)) == read


def test_prices_are_kept_whole(project: Project) -> None:
    """A rule on cost keeps the rates themselves: no later price list changes the verdict."""
    places = Places(project)
    policy = Policy(rules=(Rule(name="cheaper", kind="max_ratio", threshold=2.0, metric="cost_usd"),))
    price = Price(live=Rates(1.5, 2.0, cached_input_usd_per_mtok=0.1), source="a list", as_of="2026-11-01")
    contest = open_contest(places.run("a"), policy=policy, reports=places.reports, fixtures=places.fixtures)
    contest = replace(contest, prices={"plain": price, "prose": None})
    verdict = certify(contest.judge(), contest)
    write_verdict(places.run("a"), verdict)
    certificate = certificate_of(to_plain(read_verdict(places.run("a"))))
    assert certificate.prices == {"plain": price, "prose": None}


def test_ratings_are_named_where_a_rule_is_on_them(project: Project) -> None:
    """ratings.jsonl has a digest where it was judged, and none where it was not."""
    places = Places(project)
    (places.run("a") / "ratings.jsonl").write_text(
        '{"eval": "format", "case": "sums-01", "model": "plain", "rating": 5}\n'
    )
    assert "ratings.jsonl" not in certificate_of(to_plain(judge(project))).records["candidate"]
    rated = '[[rules]]\nmetric = "rating"\nmin = 2.0\n'
    assert "ratings.jsonl" in certificate_of(to_plain(judge(project, policy=rated))).records["candidate"]


@pytest.mark.parametrize("place", ["../outside.csv", "/etc/passwd", "questions/../../outside.csv"])
def test_path_that_leads_out_is_refused(project: Project, place: str) -> None:
    """What a certificate names is read and copied: nothing outside the project may be named."""
    plain = to_plain(judge(project))["certificate"]
    with pytest.raises(RunError, match="leads out of the project"):
        Certificate.from_plain(plain | {"fixtures": {place: "0"}})


def test_something_else_is_no_certificate() -> None:
    """A mapping without the fields, or of a newer format, is told as such."""
    with pytest.raises(RunError, match="not a certificate"):
        Certificate.from_plain({"format": 1})
    with pytest.raises(RunError, match="format 9"):
        Certificate.from_plain({"format": 9})


def test_both_sides_of_one_run_are_asked_together(project: Project) -> None:
    """Where candidate and baseline stand in one run, it is replayed for both at once."""
    verdict = judge(project)
    folder = Places(project).run("a")
    assert models_of(verdict, "candidate", {"candidate": folder}) == ("plain", "prose")
    assert models_of(verdict, "candidate", {"candidate": folder, "baseline": folder}) == ("plain",)
    assert models_of(verdict, "baseline", {"candidate": folder, "baseline": folder}) == ("prose",)
