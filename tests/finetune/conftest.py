"""A lab that tunes, without a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tunegate.lab import Lab

from ..tuning_site import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Site(tmp_path)


@pytest.fixture
def lab(site: Site) -> Iterator[Lab]:
    with site.start() as lab:
        yield lab
