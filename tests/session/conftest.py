from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tunegate.cases import Matrix, Model
from tunegate.cassettes import Library
from tunegate.testing import ScriptedEndpoint


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "cassettes")


@pytest.fixture
def model() -> Callable[[ScriptedEndpoint], Model]:
    return lambda endpoint: Matrix.unlisted("m", base_url=endpoint.base_url)
