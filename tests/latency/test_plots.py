"""The picture of latencies is a file that the same run makes again, byte by byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tunegate.errors import RunError, UsageError
from tunegate.latency.measurements import read_series
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
    """A slow call is a dot of the picture, not an outlier that was left out: another value, another picture."""
    pytest.importorskip("matplotlib")
    (series,) = read_series([write_run(tmp_path, "a", BASE)])
    slow = replace(series.calls[7], latency_s=3 * max(call.latency_s for call in series.calls))
    changed = replace(series, calls=(*series.calls[:7], slow, *series.calls[8:]))
    draw_latency([series], tmp_path / "one.svg")
    draw_latency([changed], tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_bytes() != (tmp_path / "two.svg").read_bytes()


def test_replies_that_were_not_streamed_are_said_to_have_no_first_token(tmp_path: Path) -> None:
    """What is not on record is written in its place, not drawn as 0."""
    pytest.importorskip("matplotlib")
    (series,) = read_series([write_run(tmp_path, "a", BASE)])
    whole = replace(series, calls=tuple(replace(call, first_token_s=None) for call in series.calls))
    draw_latency([whole], tmp_path / "whole.png")
    assert (tmp_path / "whole.png").read_bytes().startswith(b"\x89PNG")


def test_picture_goes_where_it_can(tmp_path: Path) -> None:
    """An ending that is no picture's, and a folder that is not there, are told."""
    pytest.importorskip("matplotlib")
    series = read_series([write_run(tmp_path, "a", BASE)])
    with pytest.raises(UsageError, match=r"ends in \.svg, \.png, \.pdf, not to"):
        draw_latency(series, tmp_path / "a.txt")
    with pytest.raises(RunError, match="cannot write"):
        draw_latency(series, tmp_path / "nowhere" / "a.svg")
