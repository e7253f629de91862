"""Two models compared: what flipped is counted both ways, and shown with both replies."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunegate.errors import RunError
from tunegate.gate.measures import measure_run
from tunegate.gate.probes import Match
from tunegate.records import Record
from tunegate.report.flips import Compared, Difference, Selected, compare_metrics, find_flips, pick_flips, read_flips
from tunegate.report.flips_text import render_differences, render_flips, width_of, wrap_text
from tunegate.stats import NotEnoughData, paired_difference

from ..gate.made_runs import record_of, write_run


def two_models() -> list[Record]:
    """Twelve cases in two subjects: `new` gains one, loses three, and one answer of a batch."""
    records = []
    for number in range(12):
        case, subject = f"c{number:02}", "algebra" if number < 6 else "history"
        old, new = number != 0, number not in {1, 2, 7}
        answers = [True, number != 9, True, True]
        for model, passed, given_answers in (("old", old, [True] * 4), ("new", new, answers)):
            text = f"{model} on {case}" if passed else f"{model} says:\n\x1b[31mred\x1b[0m \u202eno"
            checks: dict[str, bool | list[bool]] = {"schema": passed, "answers": given_answers}
            records.append(record_of(case, checks, model=model, subject=subject, text=text))
    return records


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path, "a", two_models())


@pytest.fixture
def match(folder: Path) -> Match:
    run = measure_run(folder)
    return Match(run.contender("new"), run.contender("old"))


def read(match: Match, folder: Path, *, limit: int | None = None, selected: Selected | None = None) -> list[Compared]:
    flips = pick_flips(find_flips(match, selected or Selected()), limit=limit)
    return read_flips(flips, match, a_folder=folder, b_folder=folder)


def test_flips_are_counted_by_subject_both_ways(match: Match) -> None:
    """Gained and lost stand by themselves, and the difference is the paired one with its interval."""
    found = {(one.metric, one.subject): one for one in compare_metrics(match, Selected())}
    counts = {key: (one.cases, one.gained, one.lost) for key, one in found.items()}
    assert counts == {
        ("schema", None): (12, 1, 3),
        ("schema", "algebra"): (6, 1, 2),
        ("schema", "history"): (6, 0, 1),
        ("answers", None): (12, 0, 1),
        ("answers", "algebra"): (6, 0, 0),
        ("answers", "history"): (6, 0, 1),
    }
    new = [(float(number not in {1, 2, 7}), 1) for number in range(12)]
    old = [(float(number != 0), 1) for number in range(12)]
    assert found["schema", None].estimate == paired_difference(new, old)


def test_selection_holds_for_table_and_cases_alike(match: Match) -> None:
    """A metric and a subject that were not asked for are in neither."""
    selected = Selected(metric="sch*", subject="hist*")
    (one,) = compare_metrics(match, selected)
    assert (one.metric, one.subject, one.cases) == ("schema", None, 6)
    assert [flip.case for flip in find_flips(match, selected)] == ["c07"]
    assert not compare_metrics(match, Selected(eval="tone"))


def test_flips_are_picked_both_ways_the_largest_first(match: Match) -> None:
    """Losses stand first, whole cases before a part of one; the limit is for each way."""
    flips = find_flips(match, Selected())
    assert [(flip.case, flip.is_lost) for flip in flips] == [
        ("c01", True), ("c02", True), ("c07", True), ("c09", True), ("c00", False),
    ]  # fmt: skip
    assert [flip.case for flip in pick_flips(flips, limit=1)] == ["c01", "c00"]
    assert pick_flips(flips, limit=None) == flips
    assert pick_flips(flips, limit=0) == []


def test_flipped_cases_have_both_replies_and_what_changed(match: Match, folder: Path) -> None:
    """Of the records, those of the flipped cases are read, with the checks that changed, question by question."""
    by_case = {one.flip.case: one for one in read(match, folder)}
    assert by_case["c09"].a is not None
    assert by_case["c09"].b is not None
    assert (by_case["c09"].a.cell.model, by_case["c09"].b.cell.model) == ("new", "old")
    (check,) = by_case["c09"].checks
    assert (check.name, check.question) == ("answers", 2)
    assert check.a is not None
    assert check.b is not None
    assert (check.a.passed, check.b.passed) == (False, True)


def test_of_repeats_the_first_that_changed_is_shown(tmp_path: Path) -> None:
    """A case that changed only the second time is shown as it was then."""
    records = [
        record_of("c", {"schema": model == "old" or repeat == 1}, model=model, repeat=repeat, text=f"{model} {repeat}")
        for model in ("old", "new")
        for repeat in (1, 2, 3)
    ]
    folder = write_run(tmp_path, "a", records)
    run = measure_run(folder)
    match = Match(run.contender("new"), run.contender("old"))
    (one,) = read(match, folder)
    assert one.a is not None
    assert one.a.reply is not None
    assert (one.a.cell.repeat, one.a.reply.text) == (2, "new 2")
    assert one.flip.changes == {"schema": pytest.approx(-2 / 3)}


@pytest.mark.parametrize("width", [60, 140])
def test_replies_stand_side_by_side_where_there_is_room(match: Match, folder: Path, width: int) -> None:
    """In a wide terminal the replies share their lines, in a narrow one they follow each other; none is wider."""
    flips = find_flips(match, Selected())
    lines = render_flips(read(match, folder), flips=flips, width=width)
    assert any(" | old on c01" in line for line in lines) == (width == 140)
    assert any(line.strip() == "B      old on c01" for line in lines) == (width == 60)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "lost: B passed what A did not, in 4 cases" in text
    assert "gained: A passed what B did not, in 1 case" in text
    assert "asked  What is c01?" in text
    assert "answers, question 2: expected right 2" in text


def test_what_a_model_says_cannot_steer_the_terminal(match: Match, folder: Path) -> None:
    """Control characters of a reply are shown escaped; only line ends are line ends."""
    text = "\n".join(render_flips(read(match, folder), flips=find_flips(match, Selected()), width=120))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[31mred\\x1b[0m \\u202eno" in text


def test_limit_is_told(match: Match, folder: Path) -> None:
    """What is left out is counted."""
    text = "\n".join(render_flips(read(match, folder, limit=1), flips=find_flips(match, Selected()), width=80))
    assert "in 4 cases, 1 of them here (--limit all shows all)" in text
    assert "in 1 case\n" in text


def test_no_flip_is_said(tmp_path: Path) -> None:
    """Two models that do the same have a table and no cases."""
    records = [record_of(f"c{n}", {"schema": True}, model=model) for n in range(3) for model in ("old", "new")]
    folder = write_run(tmp_path, "a", records)
    run = measure_run(folder)
    match = Match(run.contender("new"), run.contender("old"))
    assert render_flips(read(match, folder), flips=find_flips(match, Selected()), width=80)[-1] == "no case flipped"


def test_table_says_what_is_not_known() -> None:
    """A subject without a case judged on both sides has a reason and no number."""
    known = Difference("format", "schema", None, 0, 0, 0, NotEnoughData("no case was judged on both sides"))
    assert render_differences([known])[1].endswith("no case was judged on both sides")


def test_broken_lines_are_named(match: Match, folder: Path) -> None:
    """A line that is no record ends it with its number."""
    with (folder / "records.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(RunError, match="line 25: not a record"):
        read(match, folder)


def test_torn_last_line_is_passed_over(match: Match, folder: Path) -> None:
    """What a killed writer left half does not count, as everywhere."""
    with (folder / "records.jsonl").open("a") as file:
        file.write('{"v": 1, "eval"')
    assert len(read(match, folder)) == 5


@given(st.text(max_size=200), st.integers(10, 60))
def test_wrapped_text_fits_and_loses_nothing(text: str, width: int) -> None:
    """No line is wider than the columns, and all that is not space is there, in order."""
    lines = wrap_text(text, width=width)
    assert all(line.isprintable() for line in lines)
    assert all(width_of(line) <= width for line in lines)
    whole = wrap_text(text, width=10**6)
    assert "".join("".join(lines).split()) == "".join("".join(whole).split())


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)])
def test_columns_are_counted_as_terminals_do(text: str, columns: int) -> None:
    """A wide letter takes two columns and an accent of its own none."""
    assert width_of(text) == columns
