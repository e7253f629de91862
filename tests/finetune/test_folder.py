"""What is kept of trainings."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.errors import RunError, UsageError
from tunegate.finetune import Kept, TrainingFolder
from tunegate.wire.fine_tuning import CheckpointState
from tunegate.wire.training_steps import TrainingStep

from .trainings import want

SHIPPED = Path(__file__).resolve().parents[2] / "reports" / "finetunes" / "reproduction"


def kept_in(folder: Path) -> Kept:
    (one,) = want(folder, "http://h/v1")
    steps = (TrainingStep(1, 2.5, 0.1), TrainingStep(2, 1.25, 0.5, 1.5, 0.25))
    checkpoints = (CheckpointState(2, "ft:tiny", {"train_loss": 1.25}),)
    return replace(Kept.of(one), job="ftjob-1", status="running", steps=steps, checkpoints=checkpoints)


def test_training_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """Whatever is known of a training survives on disk, losses to the last digit."""
    kept = kept_in(tmp_path)
    folder = TrainingFolder(tmp_path / "kept")
    with folder.locked():
        folder.keep(kept)
        folder.keep(replace(kept, status="succeeded"))
    assert TrainingFolder(tmp_path / "kept").load() == [replace(kept, status="succeeded")]


def test_loss_that_is_no_number_is_kept(tmp_path: Path) -> None:
    """A loss of NaN says that a training has exploded: it comes back as one."""
    folder = TrainingFolder(tmp_path)
    folder.keep(replace(kept_in(tmp_path / "set"), steps=(TrainingStep(1, math.nan),)))
    (back,) = folder.load()
    assert math.isnan(back.losses[0])


def test_same_training_elsewhere_has_a_file_of_its_own(tmp_path: Path) -> None:
    """The first endpoint's file has the name that it always had; the second's does not take its place."""
    first = kept_in(tmp_path / "set")
    second = replace(first, base_url="http://other/v1", job="ftjob-2")
    for kept in (first, second, replace(first, status="succeeded"), replace(second, status="failed")):
        TrainingFolder(tmp_path).keep(kept)
    assert {(kept.job, kept.status) for kept in TrainingFolder(tmp_path).load()} == {
        ("ftjob-1", "succeeded"),
        ("ftjob-2", "failed"),
    }
    name = f"n10-s1-{first.key[:8]}"
    assert [path.name.startswith(name) for path in tmp_path.glob("*.json")] == [True, True]
    assert json.loads((tmp_path / f"{name}.json").read_text())["job"] == "ftjob-1"


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """What lies in the repository comes back, and keeps its name."""
    (path,) = SHIPPED.glob("n10-s1-*.json")
    (tmp_path / path.name).write_bytes(path.read_bytes())
    folder = TrainingFolder(tmp_path)
    (kept,) = folder.load()
    assert (kept.repetitions, kept.epochs, kept.valid_losses) == (1, 1, {10: 0.937436})
    folder.keep(replace(kept, status="gone"))
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert folder.load() == [replace(kept, status="gone")]


def test_what_is_sound_is_read_beside_what_is_damaged(tmp_path: Path) -> None:
    """A damaged file does not take the others with it."""
    kept = kept_in(tmp_path / "set")
    TrainingFolder(tmp_path).keep(kept)
    (tmp_path / "n10-s2-abc12345.json").write_text("{")
    found, (problem,) = TrainingFolder(tmp_path).load_readable()
    assert found == [kept]
    assert "n10-s2-abc12345.json is damaged" in str(problem)


def test_repetitions_are_kept(tmp_path: Path) -> None:
    """How often examples stand in a file outlives the command; once is written as before."""
    kept = kept_in(tmp_path / "set")
    for repetitions in (3, 1):
        TrainingFolder(tmp_path).keep(replace(kept, repetitions=repetitions))
        assert TrainingFolder(tmp_path).load()[0].repetitions == repetitions
        (path,) = tmp_path.glob("*.json")
        assert ("repetitions" in path.read_text()) is (repetitions > 1)


def test_damaged_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read is named, with what to do about it."""
    (tmp_path / "n10-s1-abc12345.json").write_text('{"format": 1, "key": ')
    with pytest.raises(RunError, match=r"n10-s1-abc12345\.json is damaged.*\n.*found again"):
        TrainingFolder(tmp_path).load()


def test_newer_format_is_refused(tmp_path: Path) -> None:
    """What a newer tunegate has written is not read half."""
    (tmp_path / "n10-s1-abc12345.json").write_text(json.dumps({"format": 2, "steps": [], "checkpoints": []}))
    with pytest.raises(RunError, match="format 2, this tunegate reads 1"):
        TrainingFolder(tmp_path).load()


def test_two_commands_do_not_drive_one_folder(tmp_path: Path) -> None:
    """The second is turned away: both would find no job, and create one."""
    with (
        TrainingFolder(tmp_path).locked(),
        pytest.raises(UsageError, match="another process watches"),
        TrainingFolder(tmp_path).locked(),
    ):
        pass
