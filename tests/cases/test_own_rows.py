"""Cases of an eval's own: read from a file, and as many of them as the run asks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tunegate.cases import Sources
from tunegate.errors import CaseFileError


@dataclass(frozen=True)
class Riddle:
    id: str
    text: str
    answers: tuple[str, ...] = ()
    most_words: int | None = None
    weight: float = 1.0


GOOD = """
[[riddles]]
id = "a"
text = "What?"
answers = ["this", "that"]

[[riddles]]
id = "b"
text = "Who?"
most_words = 3
weight = 2
"""


def rows(tmp_path: Path, text: str) -> list[Riddle]:
    (tmp_path / "riddles.toml").write_text(text, encoding="utf-8")
    return Sources(tmp_path).rows("riddles.toml", "riddles", kind=Riddle)


def test_tables_become_what_the_eval_declares(tmp_path: Path) -> None:
    """Each table is one dataclass; what has a default may be left out, and a list of texts becomes a tuple."""
    assert rows(tmp_path, GOOD) == [
        Riddle("a", "What?", ("this", "that")),
        Riddle("b", "Who?", most_words=3, weight=2.0),
    ]


def test_file_counts_among_the_digests(tmp_path: Path) -> None:
    """What was read is in the run's digests, so that a changed case file is noticed."""
    (tmp_path / "riddles.toml").write_text(GOOD)
    sources = Sources(tmp_path)
    sources.rows("riddles.toml", "riddles", kind=Riddle)
    assert [*sources.digests()] == ["riddles.toml"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "riddles: wanted tables, each under [[riddles]], found no such key"),
        ("riddles = []", "riddles: wanted tables, each under [[riddles]], found []"),
        (GOOD.replace('text = "Who?"\n', ""), "riddles.2.text: wanted text, not empty, found no such key"),
        (GOOD.replace('"Who?"', '" "'), "riddles.2.text: wanted text, not empty, found ' '"),
        (GOOD.replace('"that"', "7"), "riddles.1.answers: wanted a list of texts, none empty, found ['this', 7]"),
        (GOOD.replace("= 3", '= "3"'), "riddles.2.most_words: wanted an integer, found '3'"),
        (GOOD.replace("weight", "wieght"), "found the unknown key 'wieght' (perhaps weight?)"),
        ("[[riddles]", "wanted TOML, found a mistake"),
    ],
)
def test_table_that_does_not_fit_is_named(tmp_path: Path, text: str, said: str) -> None:
    """A mistake in a case file is told by its file, table and key, with what was wanted."""
    with pytest.raises(CaseFileError) as told:
        rows(tmp_path, text)
    assert "riddles.toml" in str(told.value)
    assert said in str(told.value)


def test_field_that_no_table_holds_is_the_evals_mistake(tmp_path: Path) -> None:
    """A dataclass with a field that no TOML table can fill is refused by the field's name."""

    @dataclass(frozen=True)
    class Odd:
        id: str
        made: set[str]

    (tmp_path / "riddles.toml").write_text(GOOD)
    with pytest.raises(TypeError, match=r"Odd\.made"):
        Sources(tmp_path).rows("riddles.toml", "riddles", kind=Odd)


@dataclass(frozen=True)
class Asked:
    id: str


def test_limit_takes_a_seeded_sample_of_own_cases(tmp_path: Path) -> None:
    """A sample keeps the order, depends on the seed, and is contained in every larger one."""
    cases = [Asked(f"c{number}") for number in range(30)]
    samples = [Sources(tmp_path, limit=limit, seed=1).sample(cases) for limit in (3, 10, 30, 99)]
    assert [len(sample) for sample in samples] == [3, 10, 30, 30]
    for small, large in pairwise(samples):
        assert {case.id for case in small} <= {case.id for case in large}
        assert small == [case for case in cases if case in small]
    assert Sources(tmp_path, limit=10, seed=2).sample(cases) != samples[1]
    assert Sources(tmp_path).sample(cases) == Sources(tmp_path, limit="all").sample(cases) == cases
