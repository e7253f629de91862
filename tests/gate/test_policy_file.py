"""The policy file: what a rule may say, what it means, and how a mistake is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.errors import CaseFileError
from tunegate.gate.policy import DEFAULT, MEASURES, RELATIVE, SHARE_KINDS, Policy, Rule
from tunegate.gate.policy_file import load_policy
from tunegate.gate.policy_words import explain

ROOT = Path(__file__).resolve().parents[2]
TEXT = """
level = 0.9
on_inconclusive = "block"
tolerance = 0.02
seed = 3
allow_other_prompts = true
[[rules]]
name = "shape"
eval = "format"
metric = "schema"
min = 0.9
[[rules]]
metric = "answers"
not_worse_by = 0.15
per_subject = true
family = "subjects"
[[rules]]
metric = "latency_s"
percentile = 0.95
max = 10
[[rules]]
metric = "rating"
better_by = 0
guard = true
"""
RULE = "[[rules]]\n"

Load = Callable[[str], Policy]


def load_text(folder: Path, text: str) -> Policy:
    path = folder / "gates.toml"
    path.write_text(text, encoding="utf-8")
    return load_policy(path, fixtures=folder / "nowhere")


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that loads a policy from text."""
    return lambda text: load_text(tmp_path, text)


def test_policy_is_read_whole(load: Load, tmp_path: Path) -> None:
    """Everything that a policy says arrives; what it leaves out is the documented default."""
    assert load(TEXT) == Policy(
        rules=(
            Rule("shape", "min", 0.9, eval="format", metric="schema"),
            Rule(
                "answers not_worse_by 0.15 per subject",
                "not_worse_by",
                0.15,
                metric="answers",
                per_subject=True,
                guard=True,
                family="subjects",
            ),
            Rule("latency_s p95 max 10", "max", 10.0, metric="latency_s", percentile=0.95),
            Rule("rating better_by 0", "better_by", 0.0, metric="rating", guard=True),
        ),
        level=0.9,
        on_inconclusive="block",
        tolerance=0.02,
        seed=3,
        allow_other_prompts=True,
        origin=(tmp_path / "gates.toml").as_posix(),
    )
    (rule,) = load(RULE + "min = 0.5").rules
    assert rule == Rule("every check min 0.5", "min", 0.5)
    assert load(RULE + "min = 0.5") == Policy((rule,), origin=(tmp_path / "gates.toml").as_posix())


@pytest.mark.parametrize(
    ("said", "is_guard"),
    [
        ("", False),
        ("guard = true", True),
        ("per_subject = true", True),
        ("per_subject = true\nguard = false", False),
        ("per_subject = false", False),
    ],
)
def test_rule_per_subject_is_a_guard_unless_it_says_otherwise(load: Load, said: str, is_guard: bool) -> None:
    """A subject has few cases: what is looked at in each need not be shown to hold, unless that is asked for."""
    text = f"{RULE}min = 0.5\n{RULE}metric = 'exact'\nmin = 0.5\n{said}"
    assert load(text).rules[1].guard is is_guard


def test_named_file_must_be_there(tmp_path: Path) -> None:
    """A policy that was named and is not there is a mistake; so is one that cannot be read."""
    with pytest.raises(CaseFileError, match=r"no policy at .*nowhere\.toml: No such file"):
        load_policy(tmp_path / "nowhere.toml", fixtures=ROOT / "fixtures")
    with pytest.raises(CaseFileError, match=r"cannot read .*: Is a directory"):
        load_policy(tmp_path, fixtures=ROOT / "fixtures")
    (tmp_path / "gates.toml").write_bytes(b"# \xe9")
    with pytest.raises(CaseFileError, match=r"gates\.toml: wanted UTF-8"):
        load_policy(None, fixtures=tmp_path)


def test_project_without_a_policy_has_the_default(tmp_path: Path) -> None:
    """Where no policy was named, gates.toml of the case files counts; without it the default, which says so."""
    policy = load_policy(None, fixtures=tmp_path)
    assert replace(policy, origin=DEFAULT.origin) == DEFAULT
    assert policy.origin.startswith("the default policy (there is no ")
    assert policy.digest == DEFAULT.digest
    (tmp_path / "gates.toml").write_text(TEXT, encoding="utf-8")
    assert load_policy(None, fixtures=tmp_path) == load_policy(tmp_path / "gates.toml", fixtures=tmp_path)


def test_digest_follows_the_meaning(load: Load) -> None:
    """A comment, the order of keys and a default written out leave the digest as it is; a threshold does not."""
    digest = load(TEXT).digest
    assert load("# more\n" + TEXT).digest == digest
    assert load(TEXT.replace("level = 0.9\n", "").replace("seed = 3", "seed = 3\nlevel = 0.90")).digest == digest
    assert load(TEXT.replace("min = 0.9", 'min = 0.9\nfamily = "all"')).digest == digest
    assert load(TEXT.replace("min = 0.9", "min = 0.91")).digest != digest
    assert load(TEXT.replace("seed = 3", "seed = 4")).digest != digest


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"rules: wanted a list of tables, each under \[\[rules\]\], found no such key"),
        ("rules = []", r"rules: wanted at least one rule that is no guard.*, found none"),
        ("rules = [3]", r"rules\.1: wanted a table with name, eval, metric, min, .*, found 3"),
        (RULE + "min = 0.5\nguard = true", r"rules: wanted at least one rule that is no guard.*, found guards only"),
        ("[[rule]]\nmin = 0.5", r"rule: wanted one of level, .*, found the unknown key 'rule' \(perhaps rules\?\)"),
        (RULE + "minimum = 0.5", r"rules\.1\.minimum: wanted one of .*unknown key 'minimum' \(perhaps min\?\)"),
        ("level = 0.5\n" + RULE, r"level: wanted a level such as 0\.95, more than 0\.5 and less than 1, found 0\.5"),
        ("level = 95\n" + RULE, r"level: wanted a level .*, found 95"),
        ("tolerance = 0.21\n" + RULE, r"tolerance: wanted a share of planned cells from 0 to 0\.2, found 0\.21"),
        ("tolerance = nan\n" + RULE, "tolerance: wanted a share .*, found nan"),
        ("seed = -1\n" + RULE, "seed: wanted an integer, 0 or more, found -1"),
        ('on_inconclusive = "warn"\n' + RULE, "on_inconclusive: wanted one of stop, block, pass, found 'warn'"),
        ("allow_other_prompts = 1\n" + RULE, "allow_other_prompts: wanted true or false, found 1"),
        (RULE, r"rules\.1: wanted exactly one of min, max, not_worse_by, better_by, max_ratio, found none"),
        (RULE + "min = 0.5\nmax = 0.9", r"rules\.1: wanted exactly one of .*, found min and max"),
        (RULE + 'min = "0.5"', r"rules\.1\.min: wanted a number, found '0\.5'"),
        (RULE + "min = true", r"rules\.1\.min: wanted a number, found True"),
        (RULE + "min = 1", r"rules\.1\.min: wanted a share, .*no sample shows that all would pass\), found 1"),
        (RULE + "min = 0", r"rules\.1\.min: wanted a share, more than 0"),
        (RULE + "min = nan", r"rules\.1\.min: wanted a share, .*, found nan"),
        (RULE + "min = 95", r"rules\.1\.min: wanted a share, .*, found 95\.0 \(perhaps 0\.95\?\)"),
        (RULE + "max = 0", r"rules\.1\.max: wanted a share, .*no sample shows that none would pass\), found 0"),
        (RULE + "not_worse_by = 0", r"not_worse_by: wanted .*more than 0 .*equal model.*use better_by\), found 0"),
        (RULE + "not_worse_by = 1", "not_worse_by: wanted a margin between shares, more than 0 and less than 1"),
        (RULE + "better_by = -0.1", "better_by: wanted a margin between shares, 0 or more and less than 1, found -0.1"),
        (
            RULE + "max_ratio = 0.8",
            r"max_ratio: wanted one of min, max, not_worse_by, better_by for the check '\*', found max_ratio",
        ),
        (
            RULE + 'metric = "latency"\nmax_ratio = 0.8',
            r"max_ratio: wanted one of min, .* for the check 'latency', .* \(perhaps the metric latency_s\?\)",
        ),
        (RULE + 'metric = "cost"\nmax = 3', r"max: wanted a share.*, found 3\.0 \(perhaps the metric cost_usd\?\)"),
        (RULE + 'metric = "latency_s"\nmin = 0.5', "min: wanted one of max, max_ratio for latency_s, found min"),
        (RULE + 'metric = "latency_s"\nmax = 0', "max: wanted seconds, more than 0, found 0"),
        (RULE + 'metric = "first_token_s"\nmax_ratio = 0', "max_ratio: wanted a ratio to the baseline, more than 0"),
        (RULE + 'metric = "cost_usd"\nmax = 1', "max: wanted one of max_ratio for cost_usd, found max"),
        (RULE + 'metric = "cost_usd"\nmax_ratio = inf', "max_ratio: wanted a ratio .*, found inf"),
        (RULE + 'metric = "rating"\nmin = 0.9', "min: wanted points of a rating, more than 1 and less than 5.*0.9"),
        (RULE + 'metric = "rating"\nmin = 5', "min: wanted points .*no sample shows that all would be best"),
        (RULE + 'metric = "rating"\nmax = 3', "max: wanted one of min, not_worse_by, better_by for rating"),
        (RULE + 'metric = "rating"\nnot_worse_by = 0', "not_worse_by: wanted a margin in points .*use better_by"),
        (RULE + 'metric = "rating"\nbetter_by = 4', "better_by: wanted a margin in points .*less than 4, found 4"),
        (
            RULE + 'metric = "latency_s"\nmax_ratio = 1\npercentile = 0.9',
            "percentile: wanted it beside max and one of first_token_s, latency_s only, found it beside max_ratio",
        ),
        (RULE + "max = 0.5\npercentile = 0.9", r"percentile: wanted it beside max .*, found it beside max and \*"),
        (RULE + 'metric = "latency_s"\nmax = 1\npercentile = 95', "percentile: wanted a share of calls, .*, found 95"),
        (RULE + 'min = 0.5\nname = ""', r"rules\.1\.name: wanted one line of text, without padding, found ''"),
        (RULE + 'min = 0.5\nname = "a\\nb"', r"rules\.1\.name: wanted one line of text"),
        (RULE + 'min = 0.5\nmetric = " schema"', r"rules\.1\.metric: wanted one line of text, without padding"),
        (
            f"{RULE}name = 'a'\nmin = 0.5\n{RULE}name = 'a'\nmin = 0.6",
            r"rules\.2\.name: wanted a name that no other rule has, found 'a', the name of rules\.1",
        ),
        (
            f"{RULE}min = 0.5\n{RULE}name = 'again'\nmin = 0.50\nguard = true\nfamily = 'other'",
            r"rules\.2: wanted a rule that no other one is, found what rules\.1 \('every check min 0\.5'\) says",
        ),
        ("rules", "wanted TOML, found a mistake"),
    ],
)
def test_mistake_is_told_with_its_place(load: Load, text: str, told: str) -> None:
    """A policy that cannot be meant as it stands is refused with the place, what is wanted and what was there."""
    with pytest.raises(CaseFileError, match=told) as refused:
        load(text)
    assert "gates.toml" in str(refused.value).splitlines()[0]


@given(
    metric=st.sampled_from(["schema", "json*", "*", *MEASURES]),
    eval_name=st.sampled_from(["format", "f*", "*"]),
    data=st.data(),
    is_guard=st.booleans(),
    per_subject=st.booleans(),
)
def test_every_kind_that_a_metric_has_is_read_and_explained(
    metric: str, eval_name: str, data: st.DataObject, is_guard: bool, per_subject: bool
) -> None:
    """Each metric takes the kinds that policy.py lists, and a line says which, on what, and whether it is a guard."""
    kind = data.draw(st.sampled_from(sorted(MEASURES.get(metric, SHARE_KINDS))))
    threshold = 1.5 if metric == "rating" else 0.25
    rule = Rule("x", kind, threshold, eval=eval_name, metric=metric, per_subject=per_subject, guard=is_guard)
    (line,) = [line for line in explain(Policy((rule,))) if line.startswith("  x")]
    assert line.startswith(f"  x{' (' * (is_guard or per_subject)}{'guard' * is_guard}")
    assert ("in each subject" in line) is per_subject
    assert ("must not be shown to be" in line) is is_guard
    assert ("baseline" in line) is (kind in RELATIVE)
    assert ("every check" in line) is (metric == "*")
    assert ("each eval like 'f*'" in line) is (eval_name == "f*")
    text = f'{RULE}name = "x"\neval = "{eval_name}"\nmetric = "{metric}"\n{kind} = {threshold}\n'
    text += f"guard = {str(is_guard).lower()}\nper_subject = {str(per_subject).lower()}\n{RULE}metric='y'\nmin=0.5"
    assert rule in _loaded(text).rules


def _loaded(text: str) -> Policy:
    # Hypothesis runs many examples within one test, and so within one tmp_path.
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return load_text(Path(folder), text)


def test_policy_is_explained_in_plain_words(load: Load) -> None:
    """A line for each rule says what must be shown, and of a guard what must not; then comes what all share."""
    text = TEXT + f"{RULE}metric = 'cost_usd'\nmax_ratio = 0.5\n{RULE}metric = 'rating'\nnot_worse_by = 0.3\n"
    sharing = "a chance of 5 % to be wrongly shown to be broken (Holm, over evals, checks, subjects and candidates)"
    assert explain(load(text))[1:] == [
        "  shape: format schema must be shown to be at least 90 %",
        (
            "  answers not_worse_by 0.15 per subject (guard, in each subject): "
            "answers of every eval must not be shown to be more than 15 points worse than the baseline"
        ),
        "  latency_s p95 max 10: latency_s of 95 % of the calls of every eval must be shown to be at most 10 s",
        "  rating better_by 0 (guard): the mean rating of every eval must not be shown to be worse than the baseline",
        "  cost_usd max_ratio 0.5: the mean cost_usd of every eval must be shown to be at most 50 % of the baseline's",
        (
            "  rating not_worse_by 0.3: the mean rating of every eval must be shown to be "
            "less than 0.3 rating points worse than the baseline"
        ),
        "level 90 %: a rule holds, or is broken, where its 90 % interval lies on one side",
        f"family all: 4 rules and 1 guard share a chance of 5 % to be wrongly shown to hold and {sharing}",
        f"family subjects: 1 guard has {sharing}",
        "missing: up to 2 % of the planned cells may be without a score",
        "INCONCLUSIVE blocks: its exit status is that of BLOCK, 1",
        "other prompts: cases of one name are compared although they were asked differently",
    ]


def test_default_is_explained_without_what_it_does_not_say() -> None:
    """The default policy has one rule, waits for every cell, and compares the same questions only."""
    assert explain(DEFAULT) == [
        "the default policy",
        "  not worse: every check of every eval must be shown to be less than 5 points worse than the baseline",
        "level 95 %: a rule holds, or is broken, where its 95 % interval lies on one side",
        (
            "family all: 1 rule has a chance of 2.5 % to be wrongly shown to hold and a chance of 2.5 % "
            "to be wrongly shown to be broken (Holm, over evals, checks, subjects and candidates)"
        ),
        "missing: without a score for every planned cell it is no PROMOTE",
        "INCONCLUSIVE stops: it has its own exit status, 10",
    ]


def test_policy_of_this_project_is_read() -> None:
    """fixtures/gates.toml asks for the shape, the answers and a shorter wait, and guards each subject by itself."""
    policy = load_policy(None, fixtures=ROOT / "fixtures")
    assert {(rule.metric, rule.kind, rule.guard, rule.family) for rule in policy.rules} == {
        ("schema", "min", False, "all"),
        ("schema", "not_worse_by", False, "all"),
        ("answers", "not_worse_by", False, "all"),
        ("latency_s", "max_ratio", False, "all"),
        ("answers", "not_worse_by", True, "subjects"),
    }
    # What the file writes out is what would hold without it: nobody has to guess which of the two they see.
    written = {key: value for key, value in policy.to_plain().items() if key != "rules"}
    assert written == {key: value for key, value in Policy(()).to_plain().items() if key != "rules"}


def test_example_in_the_docs_is_a_policy(load: Load) -> None:
    """The policy that docs/policy.md shows is read as it stands."""
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    (example,) = [block.partition("\n```")[0] for block in text.split("```toml\n")[1:]]
    assert len(load(example).rules) >= 3


def test_reading_a_policy_waits_for_nothing_heavy() -> None:
    """Whoever only loads a policy imports neither NumPy nor SciPy, and the TOML parser only when a file is there."""
    script = f"""
import sys
sys.path.insert(0, {str(ROOT / "tools")!r})
from pathlib import Path
from tunegate.gate.policy_file import load_policy
assert not {{"numpy", "scipy", "tomllib"}} & sys.modules.keys()
load_policy(None, fixtures=Path({str(ROOT / "fixtures")!r}))
assert not {{"numpy", "scipy"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)
