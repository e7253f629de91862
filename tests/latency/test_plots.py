"""The picture of latencies is a file that the same run makes again, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tunegate.errors import RunError, UsageError
from tunegate.latency.measurements import Series, read_series
from tunegate.latency.plots import draw_latency

from .made_runs import BASE, QUICK, SIZES, write_run


@pytest.mark.parametrize("sizes", [SIZES, (64,), (None,)], ids=["sweep", "one limit", "no limit"])
def test_same_calls_give_the_same_picture(tmp_path: Path, sizes: tuple[int | None, ...]) -> None:
    """An SVG holds neither a date nor anything drawn by chance, whatever the eval was cut at."""
    pytest.importorskip("matplotlib")
    series = read_series([write_run(tmp_path, "a", BASE, replace(QUICK, model="ft:$quick$_{x}"), sizes=sizes)])
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    draw_latency(series, one)
    draw_latency(series, two)
    assert one.read_bytes() == two.read_bytes()
    assert ElementTree.parse(one).getroot().tag.endswith("svg")


def test_every_call_is_drawn(tmp_path: Path) -> None:
    """A call is a mark in each of the three pictures, and a slow one is no outlier that is left out."""
    pytest.importorskip("matplotlib")
    (series,) = read_series([write_run(tmp_path, "a", BASE)])
    slow = replace(series.calls[7], latency_s=3 * max(call.latency_s for call in series.calls))
    fewer = replace(series, calls=(*series.calls[:7], *series.calls[8:]))
    changed = replace(series, calls=(*series.calls[:7], slow, *series.calls[8:]))
    marks = [count_marks(one, tmp_path / f"{number}.svg") for number, one in enumerate((series, fewer, changed))]
    assert marks[0] - marks[1] == 3
    assert marks[2] == marks[0]
    assert (tmp_path / "0.svg").read_bytes() != (tmp_path / "2.svg").read_bytes()


def count_marks(series: Series, path: Path) -> int:
    """Return how many marks the pictures have, apart from the ticks of their axes."""
    draw_latency([series], path)
    root = ElementTree.parse(path).getroot()
    parents = {child: parent for parent in root.iter() for child in parent}

    def names(element: ElementTree.Element) -> Iterator[str]:
        while element in parents:
            element = parents[element]
            yield element.get("id", "")

    uses = [element for element in root.iter() if element.tag.endswith("}use")]
    return sum(not any("tick" in name or "text" in name for name in names(use)) for use in uses)


def test_replies_that_were_not_streamed_are_said_to_have_no_first_token(tmp_path: Path) -> None:
    """What is not on record is written in its place, not drawn as 0."""
    pytest.importorskip("matplotlib")
    (series,) = read_series([write_run(tmp_path, "a", BASE)])
    whole = replace(series, calls=tuple(replace(call, first_token_s=None) for call in series.calls))
    draw_latency([whole], tmp_path / "whole.svg")
    draw_latency([series], tmp_path / "streamed.svg")
    told = [b"<!-- not on record -->" in (tmp_path / name).read_bytes() for name in ("whole.svg", "streamed.svg")]
    assert told == [True, False]
    assert count_marks(whole, tmp_path / "a.svg") == count_marks(series, tmp_path / "b.svg") - len(series.calls)


def test_picture_goes_where_it_can(tmp_path: Path) -> None:
    """An ending that is no picture's, and a folder that is not there, are told."""
    pytest.importorskip("matplotlib")
    series = read_series([write_run(tmp_path, "a", BASE)])
    with pytest.raises(UsageError, match=r"ends in \.svg, \.png, \.pdf, not to"):
        draw_latency(series, tmp_path / "a.txt")
    with pytest.raises(RunError, match="cannot write"):
        draw_latency(series, tmp_path / "nowhere" / "a.svg")
