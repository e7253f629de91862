"""What an eval is given, and what a run remembers of it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tunegate.cases import Batch, Case, Eval, Sources, eval_of, evaluates
from tunegate.errors import CaseFileError, TunegateError, UsageError
from tunegate.records import Message


def no_prompt(_case: object, _sources: Sources) -> list[Message]:
    return []


@pytest.fixture
def fixtures(tmp_path: Path, folder: Path) -> Path:
    """Return a folder of case files: questions, a schema, a table."""
    shutil.copytree(folder, tmp_path / "fixtures" / "questions")
    (tmp_path / "fixtures" / "schemas").mkdir()
    (tmp_path / "fixtures" / "schemas" / "list.json").write_text('{"type": "array"}', encoding="utf-8")
    (tmp_path / "fixtures" / "scenarios").mkdir()
    (tmp_path / "fixtures" / "scenarios" / "refund.toml").write_text('id = "refund"\n', encoding="utf-8")
    return tmp_path / "fixtures"


def test_sources_apply_what_the_run_says(fixtures: Path) -> None:
    """Limit, seed and subjects of the run choose the batches; an eval says only how many go together."""
    sources = Sources(fixtures, limit=2, seed=3, subjects=("high*",))
    assert sources.batches(of=4) == sources.bank.batches(of=4, limit=2, seed=3, subjects=["high*"])
    assert len(sources.batches(of=4)) == 2


def test_worked_examples_do_not_move_with_the_seed(fixtures: Path) -> None:
    """A prompt changes with `shots` alone: another sample of cases still has its recordings."""
    assert Sources(fixtures, shots=2, seed=1).solved() == Sources(fixtures, shots=2, seed=2).solved()
    assert Sources(fixtures).solved() == []


def test_digests_name_what_was_used(fixtures: Path) -> None:
    """A run remembers the case files it read, by their place under fixtures/, and no others."""
    sources = Sources(fixtures)
    assert sources.digests() == {}
    sources.schema("list")
    sources.table("scenarios/refund.toml")
    sources.batches()
    assert list(sources.digests()) == [
        "questions/test/astronomy_test.csv",
        "questions/test/botany_test.csv",
        "questions/test/high_school_physics_test.csv",
        "scenarios/refund.toml",
        "schemas/list.json",
    ]
    for name, sha256 in sources.digests().items():
        assert hashlib.sha256((fixtures / name).read_bytes()).hexdigest() == sha256


def test_digests_do_not_tell_where_a_bank_lies(fixtures: Path, folder: Path) -> None:
    """Questions from elsewhere are named by their bank, the same on every machine."""
    sources = Sources(fixtures, questions=folder)
    sources.batches()
    assert "bank/test/botany_test.csv" in sources.digests()
    single = Sources(fixtures, questions=folder / "dev" / "botany_dev.csv")
    single.batches()
    assert list(single.digests()) == ["botany_dev.csv"]


def test_schema_is_read_with_or_without_its_ending(fixtures: Path) -> None:
    """`schema("list")` and `schema("list.json")` are one file."""
    assert Sources(fixtures).schema("list") == Sources(fixtures).schema("list.json") == {"type": "array"}


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (lambda sources: sources.schema("lst"), r"no case file .*lst\.json: .*\n  there are: list\.json"),
        (lambda sources: sources.schema("../x"), r"wanted a file under .*, found 'schemas/\.\./x\.json'"),
        (lambda sources: sources.schema("bad"), r"bad\.json, line 2: wanted JSON, found Expecting value"),
        (lambda sources: sources.schema("text"), r"text\.json: wanted a JSON object, found a str"),
        (lambda sources: sources.schema("deep"), r"deep\.json: wanted JSON, found nesting too deep"),
        (lambda sources: sources.table("schemas/bad.json"), r"bad\.json: wanted TOML, found a mistake"),
        (
            lambda sources: sources.tables("scenes/*.toml"),
            r"fixtures: wanted files that match scenes/\*\.toml",
        ),
    ],
)
def test_unusable_case_file_is_told(fixtures: Path, use: Callable[[Sources], object], told: str) -> None:
    """A case file that is missing or malformed is refused with its place."""
    (fixtures / "schemas" / "bad.json").write_text('{"type":\n}', encoding="utf-8")
    (fixtures / "schemas" / "text.json").write_text('"array"', encoding="utf-8")
    (fixtures / "schemas" / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(CaseFileError, match=told):
        use(Sources(fixtures))


def test_tables_are_found_by_glob(fixtures: Path) -> None:
    """An eval finds its scenarios without knowing their names."""
    assert Sources(fixtures).tables("scenarios/*.toml") == ["scenarios/refund.toml"]


def test_eval_hangs_on_its_test() -> None:
    """`evaluates` leaves the test as it is and hangs the eval on it."""

    def test_format() -> str:
        return "ran"

    declare = evaluates("format", cases=Sources.batches, prompt=no_prompt, max_tokens=9)
    assert declare(test_format) is test_format
    assert test_format() == "ran"
    assert isinstance(eval_of(test_format), Eval)
    assert eval_of(len) is None
    with pytest.raises(UsageError, match="one test is one eval: test_format is format and now format"):
        declare(test_format)


@pytest.mark.parametrize("name", ["", "Format", "for mat", "../x", "-x", "é"])
def test_eval_is_named_for_a_folder(name: str) -> None:
    """An eval's name is a folder's under cassettes/ on every system."""
    with pytest.raises(UsageError, match="it names a folder"):
        evaluates(name, cases=Sources.batches, prompt=no_prompt)


def test_batch_is_a_case(fixtures: Path) -> None:
    """A batch serves as a case as it is."""
    cases: list[Case] = [*Sources(fixtures).batches()]
    assert isinstance(cases[0], Batch)


def test_room_is_quick_to_enter() -> None:
    """Importing the cases loads the standard library only, and of it neither TOML nor the network."""
    script = (
        "import sys; before = set(sys.modules); import tunegate.cases; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    tools = Path(__file__).parents[2] / "tools"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={"PYTHONPATH": str(tools)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert loaded <= {*sys.stdlib_module_names, "tunegate"}
    assert not loaded & {"tomllib", "socket", "ssl", "asyncio", "difflib"}


def test_every_refusal_is_of_the_house(fixtures: Path) -> None:
    """What a person can act on is a TunegateError, which is shown without a traceback."""
    with pytest.raises(TunegateError):
        Sources(fixtures, questions=fixtures / "nowhere").batches()
