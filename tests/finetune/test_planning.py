"""Which trainings are wanted, and when two of them are the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.errors import RunError, UsageError
from tunegate.finetune import Hyperparameters, TrainingFile, plan_trainings
from tunegate.finetune.planning import seed_of

from .trainings import base_at, want, write_lines


def test_every_size_is_trained_with_every_seed(tmp_path: Path) -> None:
    """Sizes x seeds, the smallest sizes first, each seed once."""
    wanted = want(tmp_path, "http://h/v1", sizes=(20, 10), seeds=(2, 1, 2))
    assert [one.label for one in wanted] == ["n10-s2", "n10-s1", "n20-s2", "n20-s1"]
    assert len({one.key for one in wanted}) == 4


def test_key_holds_what_is_learned_and_nothing_else(tmp_path: Path) -> None:
    """Model, bytes of the files, hyperparameters and seed make a training; its name and place do not."""
    (one,) = want(tmp_path / "a", "http://h/v1")
    (elsewhere,) = want(tmp_path / "b", "http://other/v1")
    assert elsewhere.key == one.key
    assert replace(one, suffix="other").key == one.key
    longer = TrainingFile(write_lines(tmp_path / "c" / "n10.jsonl", 11), "sky", 10)
    changed = [
        replace(one, seed=2),
        replace(one, base=replace(one.base, asks_for="other")),
        replace(one, hyperparameters=Hyperparameters(epochs=3, batch_size=1)),
        replace(one, file=longer),
        replace(one, validation=one.file),
    ]
    assert len({one.key, *(other.key for other in changed)}) == 6


def test_sizes_may_have_seeds_of_their_own(tmp_path: Path) -> None:
    """With `own_seeds` no two sizes share a seed, and the names still number the replicates."""
    files = [TrainingFile(write_lines(tmp_path / f"n{size}.jsonl", size), "sky", size) for size in (10, 100)]
    wanted = plan_trainings(
        base_at("http://h/v1"), files, validation=None, hyperparameters=Hyperparameters(), seeds=[1, 2], own_seeds=True
    )
    assert [(one.label, one.suffix, one.seed) for one in wanted] == [
        ("n10-s1", "n10-s1", 10001),
        ("n10-s2", "n10-s2", 10002),
        ("n100-s1", "n100-s1", 100001),
        ("n100-s2", "n100-s2", 100002),
    ]
    for examples, replicate in ((10, 1000), (10_000_000, 1)):
        with pytest.raises(UsageError, match="no seed of its own"):
            seed_of(examples, replicate=replicate)


def test_tokens_are_bounded_by_bytes(tmp_path: Path) -> None:
    """A column of numbers has far more tokens than an estimate for prose says, and never more than the bound."""
    content = "\n".join("7,8,9,1,2,3" for _ in range(80))
    chat = {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "é" * 10}]}
    path = tmp_path / "numbers.jsonl"
    path.write_text(json.dumps(chat, ensure_ascii=False) + "\n")
    # By a tokenizer that makes a token of each sign, as those of today do of digits between commas.
    assert TrainingFile(path, "sky", 1).most_tokens > 80 * 12 + 20
    assert TrainingFile(path, "sky", 1).most_tokens == path.stat().st_size - 1 + 2 * 16 + 128
    path.write_text("7,8\n")
    with pytest.raises(RunError, match="wanted chat JSONL"):
        _ = TrainingFile(path, "sky", 1).most_tokens


def test_auto_is_not_sent() -> None:
    """What is left to the endpoint stands in no request."""
    assert Hyperparameters(learning_rate_multiplier=0.4).sent == {"learning_rate_multiplier": 0.4}


def test_upload_is_named_for_its_bytes(tmp_path: Path) -> None:
    """The same bytes have the same name at an endpoint, other bytes another one."""
    first = TrainingFile(write_lines(tmp_path / "a" / "n10.jsonl", 10), "sky", 10)
    same = TrainingFile(write_lines(tmp_path / "b" / "n10.jsonl", 10), "sky", 10)
    other = TrainingFile(write_lines(tmp_path / "c" / "n10.jsonl", 12), "sky", 10)
    assert first.upload_name == same.upload_name
    assert first.upload_name.startswith("sky-n10.")
    assert other.upload_name != first.upload_name


@pytest.mark.parametrize("suffix", ["Ä", "a_b", "-a", "x" * 40])
def test_suffix_that_no_name_can_hold_is_refused(tmp_path: Path, suffix: str) -> None:
    """A suffix becomes a part of the model's name: one that cannot is refused before anything is uploaded."""
    file = TrainingFile(write_lines(tmp_path / "n10.jsonl", 10), "sky", 10)
    with pytest.raises(UsageError, match="cannot be part of a model's name"):
        plan_trainings(
            base_at("http://h/v1"), [file], validation=None, hyperparameters=Hyperparameters(), seeds=[1], suffix=suffix
        )


def test_nothing_to_train_is_refused(tmp_path: Path) -> None:
    """No sizes, or no seeds, is a mistake and no success."""
    with pytest.raises(UsageError, match="nothing to train"):
        want(tmp_path, "http://h/v1", seeds=())


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is gone is told by its name."""
    with pytest.raises(RunError, match=r"gone\.jsonl"):
        _ = TrainingFile(tmp_path / "gone.jsonl", "sky", 10).sha256
