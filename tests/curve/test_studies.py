"""Which rows make a curve together, and on which cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tunegate.curve.rows import read_rows
from tunegate.curve.studies import Grouped, group_rows
from tunegate.curve.tallies import Tally
from tunegate.records import Record
from tunegate.runs.brief_records import BriefRecord

from .made_studies import RECIPE, Made, failed, record_of, records_of, rising

FILES = "trainings of one size have one file: intervals cover other seeds, not other examples"
SEEDS = "seeds recur at several sizes: what one does at all of them makes limits too narrow"
HOT = {**RECIPE, "learning_rate_multiplier": 50.0}


def grouped(models: Sequence[Made], records: Iterable[Record] | None = None) -> Grouped:
    """Group the rows of these models, with eight simulated cases each where no records are given."""
    tallies: dict[str, Tally] = {}
    for record in records_of(models, cases=8) if records is None else records:
        tallies.setdefault(record.cell.model, Tally(("schema",))).add(BriefRecord.of(record))
    return group_rows(read_rows({"matrix": [model.row for model in models]}), tallies)


def reasons(found: Grouped) -> dict[str, str]:
    return {left.model: left.reason for left in found.left_out}


def test_each_recipe_is_a_study_of_its_own_with_the_base_model() -> None:
    """Trainings by another recipe, or by one that nobody said, are not mixed; the untrained row belongs to all."""
    base, *trained = rising(sizes=((0, None), (10, 1), (20, 1)))
    hot = [Made(f"hot{n}", n, 1, training=HOT) for n in (10, 20)]
    unsaid = [Made(f"unsaid{n}", n, 1) for n in (10, 20)]
    found = grouped([base, *trained, *hot, *unsaid])
    assert [[row.name for row in study.rows] for study in found.studies] == [
        ["base", "ft:n10-s1", "ft:n20-s1"],
        ["base", "hot10", "hot20"],
        ["base", "unsaid10", "unsaid20"],
    ]
    assert found.left_out == ()


def test_rows_are_in_the_order_of_their_sizes() -> None:
    """However the matrix is ordered, a study goes from the base model to the largest training."""
    models = [Made("c", 100, 2), Made("b", 100, 1), Made("a", 20), Made("base")]
    (study,) = grouped(models).studies
    assert [row.name for row in study.rows] == ["base", "a", "b", "c"]
    assert (study.sizes, study.most_examples) == ((0, 20, 100), 100)


def test_a_row_without_company_is_listed_and_not_drawn() -> None:
    """Alone in its recipe, a base model alone, with shots, unscored: each is named with its reason."""
    models = [
        *rising(sizes=((0, None), (10, 1), (20, 1))),
        Made("hot", 10, 1, training=HOT),
        Made("lone", base="other"),
    ]
    models += [Made("prompted", 0, shots=3), Made("silent", 50, 1, training=RECIPE)]
    records = [record for record in records_of(models, cases=4) if record.cell.model != "silent"]
    found = grouped(models, records)
    assert len(found.studies) == 1
    told = reasons(found)
    assert told["hot"] == "the only training of base with 3 epochs, batch size 1, learning rate multiplier 50"
    assert told["lone"] == "no two trainings of other by one recipe are there"
    assert told["prompted"].startswith("asked with 3 shots")
    assert told["silent"] == "none of its cases was scored"


def test_the_same_training_does_not_count_twice() -> None:
    """Equal in recipe, size, seed and file, two rows are one training under two names; another file is another one."""
    one = Made("one", 10, 1, training={**RECIPE, "sha256": "a"})
    again = Made("again", 10, 1, training={**RECIPE, "sha256": "a"})
    other = Made("other", 10, 1, training={**RECIPE, "sha256": "b"})
    found = grouped([one, again, other, Made("unseeded", 10, training=RECIPE), Made("too", 10, training=RECIPE)])
    assert [row.name for row in found.studies[0].rows] == ["too", "unseeded", "one", "other"]
    assert reasons(found) == {"again": "the training on 10 examples with seed 1 is there as one"}


def test_trainings_that_did_not_converge_stand_apart() -> None:
    """They are in the study and not among what is fitted, and their missing cases cost the others none."""
    models = rising(sizes=((0, None), (10, 1), (20, 1)))
    lost = failed(models[1])
    records = [*records_of(models, cases=6), record_of("c000", {"schema": [False]}, model=lost.name)]
    (study,) = grouped([*models, lost], records).studies
    assert [row.name for row in study.failed] == [lost.name]
    assert lost.name not in [row.name for row in study.rows]
    assert len(study.cases) == 6
    assert (study.warnings, study.notes) == ((), (SEEDS,))


def test_trainings_that_diverged_stand_with_those_that_did_not() -> None:
    """Whatever their recipe they make no table of their own: they are with the most trainings of their base."""
    models = rising(sizes=((0, None), (10, 1), (20, 1), (50, 1)))
    hot = [Made(f"hot{n}", n, 1, training={**HOT, "not_converged": "no fall"}) for n in (20, 50)]
    few = [Made(f"few{n}", n, 1, training={**RECIPE, "epochs": 1}) for n in (10, 20)]
    for diverged in (hot[:1], hot):
        found = grouped([*few, *models, *diverged])
        assert [[row.name for row in study.failed] for study in found.studies] == [[], [made.name for made in diverged]]
        assert found.left_out == ()
    # One that converged by that recipe is alone in it.
    found = grouped([*models, *hot, Made("warm", 10, 1, training=HOT)])
    assert [[row.name for row in study.failed] for study in found.studies] == [["hot20", "hot50"]]
    assert reasons(found) == {
        "warm": "the only training of base with 3 epochs, batch size 1, learning rate multiplier 50"
    }


def test_a_training_that_diverged_without_company_says_so() -> None:
    """Its reason is not lost where its base has no curve, nor where nothing of it was scored."""
    lone = Made("lone", 20, 1, training={**HOT, "not_converged": "no fall"})
    told = reasons(grouped([Made("base"), lone]))["lone"]
    assert told.startswith("the only training of base with 3 epochs")
    assert told.endswith("and it did not converge: no fall")
    models = [*rising(sizes=((0, None), (10, 1), (20, 1))), lone]
    silent = [record for record in records_of(models, cases=4) if record.cell.model != "lone"]
    assert reasons(grouped(models, silent)) == {"lone": "did not converge (no fall), and none of its cases was scored"}


def test_cases_that_one_training_lacks_are_left_out_aloud() -> None:
    """An error is no wrong answer: its case is no case of the curve, and the warning says whose it was."""
    models = rising(sizes=((0, None), (10, 1), (20, 1)))
    records = records_of(models, cases=5)
    place = next(n for n, one in enumerate(records) if (one.cell.model, one.cell.case) == ("ft:n10-s1", "c003"))
    records[place] = record_of("c003", {}, model="ft:n10-s1", state="error")
    (study,) = grouped(models, records).studies
    assert study.cases == ("c000", "c001", "c002", "c004")
    assert study.warnings == (
        "1 of 5 cases are left out, for not every training has a score for them (1 error); ft:n10-s1 lacks 1",
    )


def test_cases_that_were_asked_otherwise_are_left_out_aloud() -> None:
    """A name is not enough: where a training was asked another question under it, the case says nothing."""
    models = rising(sizes=((0, None), (10, 1), (20, 1)))
    records = records_of(models, cases=3)
    records[0] = record_of("c000", {"schema": [True]}, model="base", asked="Something else?")
    (study,) = grouped(models, records).studies
    assert study.cases == ("c001", "c002")
    assert study.warnings == ("1 of 3 cases are left out, for not every training was asked the same",)


def test_different_sets_and_temperatures_are_warned_of() -> None:
    """One curve supposes that its trainings differ in nothing but their size."""
    models = [Made(f"m{n}", n, 1, training={**RECIPE, "set": name}) for n, name in ((10, "one"), (20, "two"))]
    tallies = {model.name: Tally(("schema",)) for model in models}
    for record in records_of(models, cases=2):
        tallies[record.cell.model].add(BriefRecord.of(record))
    rows = [
        row
        for model, temperature in zip(models, (0.0, 1.0), strict=True)
        for row in read_rows({"options": {"temperature": temperature}, "matrix": [model.row]})
    ]
    (study,) = group_rows(rows, tallies).studies
    assert study.warnings == (
        "not all were asked at the same temperature: 0 and 1",
        "not all were trained on the same set: one, two",
    )


def test_what_trainings_share_is_noted() -> None:
    """One file for all seeds of a size, or one seed at several sizes: what the intervals do not cover is said."""

    def notes(*trained: tuple[int, int, str]) -> tuple[str, ...]:
        models = [Made(f"n{n}s{seed}", n, seed, training={**RECIPE, "sha256": file}) for n, seed, file in trained]
        return grouped(models).studies[0].notes

    assert notes((10, 1, "a"), (10, 2, "a"), (20, 3, "b")) == (FILES,)
    assert notes((10, 1, "a"), (20, 1, "b")) == (SEEDS,)
    assert notes((10, 1, "a"), (10, 2, "a"), (20, 1, "b")) == (FILES, SEEDS)
    assert notes((10, 1, "a"), (10, 2, "b"), (20, 3, "c")) == ()
    unseeded = [Made(f"u{n}", n, training=RECIPE) for n in (10, 20)]
    assert grouped(unseeded).studies[0].notes == ()


def test_repeats_of_a_case_are_added_up() -> None:
    """Three repeats of a case with two questions are one case out of six."""
    tally = Tally(("schema", "answers"))
    for repeat, answers in ((1, [True, True]), (2, [True, False]), (3, [None, False])):
        checks = {"schema": [repeat < 3], "answers": answers}
        tally.add(BriefRecord.of(record_of("a", checks, model="m", repeat=repeat)))
    assert tally.judged("schema", ["a", "b"]) == [(2, 3), (0, 0)]
    assert tally.judged("answers", ["a"]) == [(3, 5)]
    assert list(tally.replies("answers", ["a"])) == [("a", 1.0), ("a", 0.5), ("a", 0.0)]
    assert (tally.tokens, tally.counted) == (960, 3)
