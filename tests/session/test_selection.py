"""Which models a run asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunegate.cases import Matrix
from tunegate.cassettes import Library
from tunegate.errors import MatrixError
from tunegate.exchanges import Exchange, Request
from tunegate.session import choose_models
from tunegate.session.selection import OPENAI


@pytest.fixture
def matrix(tmp_path: Path) -> Matrix:
    path = tmp_path / "models.toml"
    path.write_text('[endpoints.e]\nbase_url = "http://listed/v1"\n[models.small]\nendpoint = "e"\nrole = "baseline"\n')
    return Matrix.load(path)


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def record(library: Library, model: str, url: str) -> None:
    request = Request(f"{url}/chat/completions", {"model": model})
    library.cassette("format", model).add(Exchange(request, 200, "OK", {}, b"{}"))


def test_listed_models_keep_their_own_address(matrix: Matrix, library: Library) -> None:
    """`--base-url` is for names that are not listed."""
    (model,) = choose_models(matrix, ["sm*"], library=library, recording=True, base_url="http://other/v1")
    assert model.endpoint.base_url == "http://listed/v1"


def test_unlisted_name_is_asked_where_the_command_says(
    matrix: Matrix, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is --base-url, else OPENAI_BASE_URL, else OpenAI's own where there is a key."""
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    (model,) = choose_models(matrix, ["ft:a"], library=library, recording=True)
    assert model.endpoint.base_url == OPENAI
    monkeypatch.setenv("OPENAI_BASE_URL", "http://env/v1")
    (model,) = choose_models(matrix, ["ft:a"], library=library, recording=True)
    assert model.endpoint.base_url == "http://env/v1"
    (model,) = choose_models(matrix, ["ft:a"], library=library, recording=True, base_url="http://given/v1")
    assert model.endpoint.base_url == "http://given/v1"
    assert model.endpoint.key_env == "OPENAI_API_KEY"


def test_replay_needs_no_address(matrix: Matrix, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that was recorded is found by its name alone, long after its endpoint is gone."""
    record(library, "ft:gone", "http://gone/v1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere/v1")
    (model,) = choose_models(matrix, ["ft:gone"], library=library, recording=False)
    assert model.endpoint.base_url == "http://gone/v1"


def test_two_recorded_addresses_are_two_models(matrix: Matrix, library: Library) -> None:
    """Where one name was recorded at two addresses, the command has to say which."""
    record(library, "ft:a", "http://one/v1")
    record(library, "ft:a", "http://two/v1")
    with pytest.raises(MatrixError, match=r"http://one/v1, http://two/v1\n.*--base-url"):
        choose_models(matrix, ["ft:a"], library=library, recording=False)
    (model,) = choose_models(matrix, ["ft:a"], library=library, recording=False, base_url="http://two/v1")
    assert model.endpoint.base_url == "http://two/v1"


@pytest.mark.parametrize("recording", [True, False])
def test_unknown_name_says_what_exists(matrix: Matrix, library: Library, recording: bool) -> None:
    """A typing error is answered with what is near, what is listed and what is recorded."""
    record(library, "ft:gone", "http://gone/v1")
    with pytest.raises(MatrixError) as problem:
        choose_models(matrix, ["smal"], library=library, recording=recording)
    for part in ("no model 'smal'", "did you mean: small", "recorded besides: ft:gone", "--base-url"):
        assert part in str(problem.value)
