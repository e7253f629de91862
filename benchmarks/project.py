"""The projects that are measured: the format eval over a bank of any size, empty items, per-test vcrpy cassettes."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import Spent, Unmeasured, run_command

from tunegate.cases import Sources, eval_of
from tunegate.records import Record
from tunegate.runs import read_records
from tunegate.wire import chat_request

ROOT = Path(__file__).resolve().parents[1]
MODEL = "m"
_EMPTY = "import pytest\n\n@pytest.mark.parametrize('n', range({cases}))\ndef test_empty(n):\n    pass\n"
# The way that is best for vcrpy: one client for all tests, the synchronous one, and one recording in each file.
_VCR = '''"""One test a case, each with a cassette of its own."""

import json
from pathlib import Path

import openai
import pytest
import vcr

HERE = Path(__file__).parent
PROMPTS = [json.loads(line) for line in (HERE / "prompts.jsonl").open()]
TAPE = vcr.VCR(cassette_library_dir=str(HERE / "cassettes"), filter_headers=["authorization"])


@pytest.fixture(scope="session")
def client():
    with openai.OpenAI(base_url="{base_url}", api_key="none", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("number", range(len(PROMPTS)))
def test_reply(number, client):
    with TAPE.use_cassette(f"{{number}}.yaml"):
        reply = client.chat.completions.create(**PROMPTS[number])
    answer = json.loads(reply.choices[0].message.content)
    assert answer == [{{str(question): "2"}} for question in range(1, 5)]
'''


@dataclass(frozen=True)
class Limits:
    """What models.toml says of the endpoint; None leaves it out."""

    timeout_s: float | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_connections: int | None = 64


class Project:
    """A folder laid out like the house, with a bank of exactly `cases` batches and one model."""

    def __init__(self, root: Path, *, cases: int, base_url: str, limits: Limits | None = None) -> None:
        self.root = root
        self.cases = cases
        self.base_url = base_url
        _lay_out(root, cases=cases)
        self.point_at(base_url, limits=limits or Limits())

    def point_at(self, base_url: str, *, limits: Limits) -> None:
        """Let the model be asked at `base_url`."""
        self.base_url = base_url
        lines = [f"{name} = {value}\n" for name, value in vars(limits).items() if value is not None]
        (self.root / "fixtures" / "models.toml").write_text(
            f'[endpoints.here]\nbase_url = "{base_url}"\n{"".join(lines)}'
            f'[models.{MODEL}]\nendpoint = "here"\nrole = "baseline"\n'
        )

    def pytest(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> Spent:
        """Run pytest in the project; an exit status that is not `allowed` makes it `Unmeasured`."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        spent = run_command(command, cwd=self.root)
        if spent.status not in allowed:
            raise Unmeasured(f"{' '.join(command)} ended with {spent.status}:\n{spent.out}")
        return spent

    def record(self, *arguments: str, in_flight: int = 64, allowed: tuple[int, ...] = (0,)) -> Spent:
        """Ask for everything anew, from an empty folder of recordings, as run `live`."""
        self.forget()
        words = ["evals", "--limit=all", "--record=all", "--run=live", *arguments]
        if has_option("--max-connections"):
            words.append(f"--max-connections={in_flight}")
        return self.pytest(*words, allowed=allowed)

    def replay(self, *arguments: str) -> Spent:
        """Replay what was recorded."""
        shutil.rmtree(self.root / "reports", ignore_errors=True)
        return self.pytest("evals", "--limit=all", *arguments)

    def forget(self) -> None:
        """Remove recordings and runs."""
        for name in ("cassettes", "reports"):
            shutil.rmtree(self.root / name, ignore_errors=True)

    def records(self, run: str = "live") -> list[Record]:
        """Return the records of a run."""
        return list(read_records(self.root / "reports" / "runs" / run))

    def write_prompts(self, path: Path, *, stream: bool = False) -> None:
        """Write the bodies of the very requests that the eval sends, one a line."""
        with path.open("w") as lines:
            lines.writelines(json.dumps(body) + "\n" for body in self._bodies(stream=stream))

    def _bodies(self, *, stream: bool) -> Iterator[dict[str, Any]]:
        spec = importlib.util.spec_from_file_location("measured_eval", self.root / "evals" / "test_format.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        declared = eval_of(module.test_format)
        assert declared is not None
        sources = Sources(self.root / "fixtures", limit="all")
        for case in declared.cases(sources):
            request = chat_request(
                self.base_url,
                MODEL,
                messages=declared.prompt(case, sources),
                max_tokens=declared.max_tokens,
                temperature=0.0,
                stream=stream,
            )
            yield dict(request.body)

    def write_vcr_tests(self) -> None:
        """Add the same job for stock vcrpy in `taped/`: record it once, then every run replays."""
        folder = self.root / "taped"
        folder.mkdir()
        self.write_prompts(folder / "prompts.jsonl")
        (folder / "test_taped.py").write_text(_VCR.format(base_url=self.base_url))


def has_option(name: str) -> bool:
    """Tell whether this version's `pytest --help` lists an option."""
    global _help  # noqa: PLW0603  # asked once: it takes a second
    if not _help:
        command = [sys.executable, "-m", "pytest", "--help", "-p", "no:cacheprovider"]
        _help = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return name in _help


_help = ""


def _lay_out(root: Path, *, cases: int) -> None:
    shutil.copytree(ROOT / "fixtures" / "schemas", root / "fixtures" / "schemas")
    (root / "evals").mkdir()
    # Not all evals that there are: what is measured must not grow with the house.
    shutil.copy(ROOT / "evals" / "test_format.py", root / "evals")
    if (ROOT / "fixtures" / "prices.toml").exists():
        shutil.copy(ROOT / "fixtures" / "prices.toml", root / "fixtures")
    shutil.copy(ROOT / "conftest.py", root)
    folder = root / "fixtures" / "questions" / "test"
    folder.mkdir(parents=True)
    rows = [f"Which number is {n}?,{n + 1},{n},{n + 2},{n + 3},B" for n in range(4 * cases)]
    (folder / "numbers_test.csv").write_text("\n".join(rows) + "\n")
    (folder.parent / "dev").mkdir()
    (folder.parent / "dev" / "numbers_dev.csv").write_text("Which number is 7?,6,7,8,9,B\n" * 4)
    (root / "empty").mkdir()
    (root / "empty" / "test_empty.py").write_text(_EMPTY.format(cases=cases))
    (root / "pyproject.toml").write_text(
        f'[tool.pytest]\naddopts = ["--import-mode=importlib"]\npythonpath = ["{ROOT / "tools"}"]\n'
    )
