"""What every room's tests may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tunegate.testing import ScriptedEndpoint

from .project import Project, answer, make_project

# A busy machine is no defect of the code: what must be quick is measured in benchmarks/.
settings.register_profile("tunegate", deadline=None)
settings.load_profile("tunegate")


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    """An endpoint that answers right, except model `prose`, which wraps its list in words."""
    with ScriptedEndpoint(answer) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, endpoint: ScriptedEndpoint) -> Project:
    """A project whose matrix asks the scripted endpoint, without recordings."""
    return make_project(tmp_path, base_url=endpoint.base_url)
