"""The chart: the same bytes for the same numbers, and the crossing where it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tunegate.cost import Rates, Replacement
from tunegate.errors import RunError, UsageError
from tunegate.latency.plots import SUFFIXES as LATENCY_SUFFIXES
from tunegate.money.chart import SUFFIXES, draw_costs

from ..cost.made_replacements import make_medium

pytest.importorskip("matplotlib", reason="charts are drawn by matplotlib, an optional dependency")

ROOT = Path(__file__).resolve().parents[2]


def compare(baseline: Rates) -> Replacement:
    return make_medium(baseline=baseline)


def draw(path: Path, replacement: Replacement) -> bytes:
    draw_costs(path, replacement, candidate="ft:m", baseline="teacher")
    return path.read_bytes()


def test_same_numbers_give_the_same_svg(tmp_path: Path) -> None:
    """Byte for byte, in this process and in another, whatever its hashes start with."""
    first = draw(tmp_path / "a.svg", compare(Rates(30.0, 60.0)))
    assert draw(tmp_path / "b.svg", compare(Rates(30.0, 60.0))) == first
    assert draw(tmp_path / "c.svg", compare(Rates(30.0, 61.0))) != first
    script = (
        f"import sys; sys.path[:0] = [{str(ROOT / 'tools')!r}]\n"
        "from pathlib import Path\n"
        "from tunegate.cost import Caller, Outlay, Replacement\n"
        "from tunegate.money.chart import draw_costs\n"
        f"case = {compare(Rates(30.0, 60.0))!r}\n"
        f"draw_costs(Path({str(tmp_path / 'd.svg')!r}), case, candidate='ft:m', baseline='teacher')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONHASHSEED": "7", "HOME": str(tmp_path)})
    assert (tmp_path / "d.svg").read_bytes() == first


@pytest.mark.parametrize(("name", "begin"), [("a.PNG", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.svg", b"<?xml")])
def test_ending_says_the_format(tmp_path: Path, name: str, begin: bytes) -> None:
    """In large letters too; and no format keeps the time at which it was drawn."""
    drawn = draw(tmp_path / name, compare(Rates(30.0, 60.0)))
    assert drawn.startswith(begin)
    assert b"CreationDate" not in drawn
    assert b"dc:date" not in drawn


def test_pictures_of_all_commands_have_the_same_endings() -> None:
    """What `tunegate latency -o` takes, `tunegate break-even -o` takes."""
    assert SUFFIXES == LATENCY_SUFFIXES


def test_what_never_pays_is_drawn_too(tmp_path: Path) -> None:
    """Without a crossing, and where nothing costs anything, both lines are drawn all the same."""
    assert b"<svg" in draw(tmp_path / "a.svg", compare(Rates(1.5, 2.0)))
    free = make_medium(candidate=Rates(0.0, 0.0), baseline=Rates(0.0, 0.0), training_usd_per_mtok=0.0)
    assert b"<svg" in draw(tmp_path / "b.svg", free)


def test_missing_matplotlib_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional dependency it says what is missing and how to install it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'tunegate\[plots\]'"):
        draw(tmp_path / "a.svg", compare(Rates(30.0, 60.0)))


def test_names_are_no_mathematics(tmp_path: Path) -> None:
    """Dollar signs in a model's name are drawn, and not read as a formula."""
    draw_costs(tmp_path / "a.svg", compare(Rates(30.0, 60.0)), candidate="a$b_{$c", baseline="$^$")
    assert (tmp_path / "a.svg").stat().st_size


@pytest.mark.parametrize(("name", "error"), [("a.jpg", UsageError), ("a", UsageError), ("no/such/a.svg", RunError)])
def test_what_cannot_be_drawn_is_told(tmp_path: Path, name: str, error: type[Exception]) -> None:
    """Another ending, and a folder that does not exist, say so."""
    with pytest.raises(error, match=r"ends in \.svg, \.png, \.pdf|cannot write"):
        draw(tmp_path / name, compare(Rates(30.0, 60.0)))
