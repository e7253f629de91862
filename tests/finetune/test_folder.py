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
