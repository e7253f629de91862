"""Files of prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunegate.cases import Sources
from tunegate.distill import make_lessons, read_prompts
from tunegate.errors import CaseFileError


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_text_file_holds_a_prompt_a_line(tmp_path: Path) -> None:
    """Empty lines are passed over; nothing knows its answer."""
    file = read_prompts(write(tmp_path, "a.txt", "The soup is cold.", "", "  Where is my parcel?  "))
    assert [prompt.messages[0]["content"] for prompt in file.prompts] == ["The soup is cold.", "Where is my parcel?"]
    assert file.as_eval("a").answer is None


def test_name_of_a_prompt_does_not_move_with_its_line(tmp_path: Path) -> None:
    """Another order of the lines gives the same ids, so recordings and nested sizes stay."""
    one = read_prompts(write(tmp_path, "a.txt", "first", "second"))
    other = read_prompts(write(tmp_path, "b.txt", "new", "second", "first"))
    assert {prompt.id for prompt in one.prompts} < {prompt.id for prompt in other.prompts}


def test_jsonl_brings_answers_in_two_ways(tmp_path: Path) -> None:
    """`answer` beside a prompt and an assistant's last message are both the known answer."""
    chat = [
        {"role": "system", "content": "Be rude."},
        {"role": "user", "content": "The soup is cold."},
        {"role": "assistant", "content": "So are you."},
    ]
    path = write(
        tmp_path, "a.jsonl", json.dumps({"prompt": "Hello", "answer": "What."}), json.dumps({"messages": chat})
    )
    eval_ = read_prompts(path).as_eval("a")
    assert eval_.answer is not None
    lessons = make_lessons(eval_, Sources(tmp_path))
    assert [eval_.answer(lesson.case) for lesson in lessons] == ["What.", "So are you."]
    assert [message["role"] for message in lessons[1].messages] == ["system", "user"]
    assert lessons[1].parts[0].text == "The soup is cold."


def test_line_twice_is_one_lesson(tmp_path: Path) -> None:
    """A line that stands twice is learned once."""
    eval_ = read_prompts(write(tmp_path, "a.txt", "same", "same")).as_eval("a")
    assert len(make_lessons(eval_, Sources(tmp_path))) == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: wanted a JSON object"),
        ("[]", 'wanted an object with "prompt" or "messages"'),
        ('{"text": "a"}', 'wanted an object with "prompt" or "messages"'),
        ('{"prompt": ""}', "wanted a prompt in text"),
        ('{"prompt": "a", "answer": 1}', "wanted text as answer"),
        ('{"messages": []}', "wanted a list of messages"),
        ('{"messages": [{"role": "robot", "content": "a"}]}', "wanted messages with a role"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "wanted a message of the user"),
    ],
)
def test_wrong_line_is_named(tmp_path: Path, line: str, told: str) -> None:
    """What is wrong in a file is told with its line and what was wanted."""
    with pytest.raises(CaseFileError, match=r"a\.jsonl, line 2: ") as problem:
        read_prompts(write(tmp_path, "a.jsonl", '{"prompt": "fine"}', line))
    assert told in str(problem.value)


def test_file_without_prompts_is_refused(tmp_path: Path) -> None:
    """An empty file and a missing one are told."""
    with pytest.raises(CaseFileError, match="found none"):
        read_prompts(write(tmp_path, "a.txt", "", " "))
    with pytest.raises(CaseFileError, match="no file of prompts"):
        read_prompts(tmp_path / "nowhere.txt")
