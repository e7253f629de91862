"""The folder that a training set is written to."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tunegate.cost import Price
from tunegate.distill import Chosen, Demand, Made, Written, choose_examples, read_manifest, render_lines, write_folder
from tunegate.errors import RunError

from .lessons import Echo, filter_of, many_lessons

MADE = Made(
    source="prompts",
    teacher="big",
    student="small",
    seed=0,
    epochs=3,
    repetitions=1,
    near=0.8,
    system=None,
    teacher_system=None,
    temperature=0.0,
    max_tokens=None,
    shots=0,
    augment=0,
    waived=(),
    case_files=(("prompts.txt", "abc"),),
)
PRICE = Price(None, "a list", training_usd_per_mtok=2.0)


def chosen(train: int = 6, validation: int = 2) -> Chosen:
    return choose_examples(
        many_lessons(20), Demand(train, validation), filter_=filter_of("tell me of 3 things"), teacher=Echo()
    )


def write(folder: Path, found: Chosen, *sizes: int | None, made: Made = MADE) -> Written:
    return write_folder(folder, found, made=made, sizes=sizes, evaluation=filter_of().evaluation, price=PRICE)


def read_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_smaller_files_are_the_beginning_of_larger_ones(tmp_path: Path) -> None:
    """The bytes of n2 are the first bytes of n4, and each line is a chat that ends with its answer."""
    write(tmp_path / "a", chosen(), 2, 4)
    two, four = ((tmp_path / "a" / name).read_bytes() for name in ("n2.jsonl", "n4.jsonl"))
    assert four.startswith(two)
    lines = read_lines(tmp_path / "a" / "n4.jsonl")
    assert len(lines) == 4
    assert all([message["role"] for message in line["messages"]] == ["user", "assistant"] for line in lines)


def test_manifest_says_what_the_files_are(tmp_path: Path) -> None:
    """Digests, counts, tokens and the price of training can be worked out again from the files."""
    found = chosen()
    write(tmp_path / "a", found, 4, None)
    manifest = read_manifest(tmp_path / "a")
    for file in (*manifest["files"], manifest["validation"]):
        content = (tmp_path / "a" / file["path"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["lines"] == content.count(b"\n") == file["examples"] * file["repetitions"]
    four, all_ = manifest["files"]
    assert (four["examples"], all_["examples"]) == (4, 6)
    assert four["tokens"] == sum(example.tokens for example in found.train[:4])
    assert four["training_usd"] == pytest.approx(four["tokens"] * 3 * 2.0 / 1e6)
    assert manifest["ids"]["train"] == [example.id for example in found.train]
    assert manifest["teaching_usd"] == pytest.approx(0.01 * 8)
    assert manifest["training_price"]["source"] == "a list"
    assert manifest["case_files"] == {"prompts.txt": "abc"}
    refused = [json.loads(line) for line in (tmp_path / "a" / "refused.jsonl").read_text().splitlines()]
    assert len(refused) == sum(manifest["refused"].values())


def test_repetitions_repeat_the_whole_set(tmp_path: Path) -> None:
    """Two repetitions are the set and then the set again; tokens and price count them."""
    found = chosen()
    once = write(tmp_path / "a", found, 4).files[0]
    twice = write(tmp_path / "b", found, 4, made=replace(MADE, repetitions=2)).files[0]
    one, two = ((tmp_path / name / "n4.jsonl").read_bytes() for name in "ab")
    assert two == one * 2
    assert (twice.lines, twice.examples, twice.tokens) == (8, 4, 2 * once.tokens)
    assert [read_manifest(tmp_path / name)["files"][0]["repetitions"] for name in "ab"] == [1, 2]
    assert twice.training_usd == pytest.approx(2 * (once.training_usd or 0))


def test_what_an_earlier_call_wrote_goes(tmp_path: Path) -> None:
    """A folder holds one set: files of other sizes do not stay beside it."""
    write(tmp_path / "a", chosen(), 2, 4)
    write(tmp_path / "a", chosen(train=3, validation=0), 3)
    assert sorted(path.name for path in tmp_path.glob("a/*")) == ["manifest.json", "n3.jsonl", "refused.jsonl"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("has_manifest", [True, False])
def test_folder_with_other_files_is_left_alone(tmp_path: Path, has_manifest: bool) -> None:
    """What a person put there is neither removed nor mixed with ours."""
    if has_manifest:
        write(tmp_path / "a", chosen(), 2)
    (tmp_path / "a").mkdir(exist_ok=True)
    (tmp_path / "a" / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("a/*")}
    with pytest.raises(RunError, match=r"'notes\.txt', which is not of a training set"):
        write(tmp_path / "a", chosen(), 4)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("a/*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_equal_sizes_are_one_file(tmp_path: Path) -> None:
    """All there are may be as many as another size."""
    written = write(tmp_path / "a", chosen(), 6, None)
    assert [file.path for file in written.files] == ["n6.jsonl"]


def test_text_stays_readable() -> None:
    """Letters of other languages stand as they are, one chat a line whatever its text holds."""
    (example,) = choose_examples(
        many_lessons(1), Demand(1), filter_=filter_of(), teacher=Echo(text=lambda _: "Grüße\nund \u2028 Küsse")
    ).train
    content = render_lines([example])
    assert "Grüße\\nund".encode() in content
    assert content.count(b"\n") == 1


def test_manifest_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A missing one, a damaged one and one of a later format."""
    with pytest.raises(RunError, match="no training set at"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(RunError, match="wanted the manifest"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(RunError, match="newer than 1"):
        read_manifest(tmp_path)
