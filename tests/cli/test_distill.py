"""`tunegate distill` writes training files, and asks a teacher no more than it must."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tunegate.cases import Sources
from tunegate.cases.eval_files import read_evals
from tunegate.cases.questions import hash_words
from tunegate.cli.teacher import Progress
from tunegate.distill import make_lessons, read_manifest
from tunegate.testing import Scripted, ScriptedEndpoint

from ..project import OURS, ROOT, Project, Result, answer, make_project
from .calling import call as call_tunegate

KNOWN = Path("reports/training/format-known-answers")
TAUGHT = Path("reports/training/format-plain")
PRICES = """
[[prices]]
model = "{}"
input_usd_per_mtok = {}
output_usd_per_mtok = {}
training_usd_per_mtok = 100
source = "a list"
"""


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    return call_tunegate(capsys, "distill", *arguments)


def add_lessons(project: Project) -> None:
    """Give a project a training part: 24 questions of each subject, of which 2 is the right option."""
    folder = project.root / "fixtures" / "questions" / "train"
    folder.mkdir()
    for subject in ("colours", "sums"):
        rows = [f"learn {subject} {n}?,{n},{n + 1},{n + 2},{n + 3},B" for n in range(0, 96, 4)]
        (folder / f"{subject}_train.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def house(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with twelve lessons, in whose folder the command then works."""
    add_lessons(project)
    monkeypatch.chdir(project.root)
    return project


@pytest.fixture
def house_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Project]:
    """Return a function that lays out such a project for another endpoint."""

    def make(base_url: str) -> Project:
        made = make_project(tmp_path, base_url=base_url)
        add_lessons(made)
        monkeypatch.chdir(made.root)
        return made

    return make


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def chats(path: Path) -> list[list[dict[str, str]]]:
    return [json.loads(line)["messages"] for line in path.read_text().splitlines()]


@pytest.mark.usefixtures("house")
def test_known_answers_make_nested_files(capsys: pytest.CaptureFixture[str]) -> None:
    """Each size begins the next one, the answers are the eval's key, and the same command gives the same bytes."""
    arguments = ("format", "--known-answers", "--sizes", "2,5,all", "--validation", "3")
    shown = call(capsys, *arguments)
    assert shown.status == 0, shown.out
    assert "compared with 24 texts of format" in shown.out
    before = content_of(KNOWN)
    assert sorted(before) == ["manifest.json", "n2.jsonl", "n5.jsonl", "n9.jsonl", "refused.jsonl", "validation.jsonl"]
    assert before["n9.jsonl"].startswith(before["n5.jsonl"])
    assert before["n5.jsonl"].startswith(before["n2.jsonl"])
    key = json.dumps([{str(number): "2"} for number in range(1, 5)])
    assert {chat[-1]["content"] for chat in chats(KNOWN / "n9.jsonl")} == {key}
    assert call(capsys, *arguments).status == 0
    assert content_of(KNOWN) == before


def test_planted_duplicate_is_refused_by_name(house: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A question of the test part that stands in the training part is told with both names and never written."""
    train = house.root / "fixtures/questions/train/sums_train.csv"
    # The same question: other capitals, the options in another order.
    train.write_text(train.read_text() + "TEST  sums 7?,9,8,7,10,B\n" + "learn sums 900?,1,2,3,4,B\n" * 3)
    shown = call(capsys, "format", "--known-answers")
    assert shown.status == 0, shown.out
    assert "1 leak (exact)" in shown.out
    (line,) = [line for line in shown.out.splitlines() if ": leak, " in line]
    assert line.split(":")[0].strip().startswith("sums-")
    assert "stands in format[sums-" in line
    assert b"TEST" not in b"".join(path.read_bytes() for path in KNOWN.glob("n*.jsonl"))
    (refused,) = [json.loads(line) for line in (KNOWN / "refused.jsonl").read_text().splitlines() if "leak" in line]
    assert refused["match"]["kind"] == "exact"


def test_strict_writes_nothing_where_a_lesson_leaks(house: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """With --strict a leak ends the command with 1 before anything is written."""
    train = house.root / "fixtures/questions/train/sums_train.csv"
    assert call(capsys, "format", "--known-answers", "--strict", "-o", "clean").status == 0
    train.write_text(train.read_text() + "".join(f"test sums {n}?,{n},{n + 1},{n + 2},{n + 3},B\n" for n in range(4)))
    shown = call(capsys, "format", "--known-answers", "--strict")
    assert shown.status == 1
    assert "stands in format[sums-" in shown.out
    assert not KNOWN.exists()


def asked_by(project: Project) -> str:
    """Return what the project's eval sends first."""
    (found,) = read_evals(project.root / "evals")
    sources = Sources(project.root / "fixtures", limit="all")
    return found.eval.prompt(next(iter(found.eval.cases(sources))), sources)[-1]["content"]


def test_strict_ends_with_one_where_too_few_lessons_are_left(
    house: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of which a prompt stands in an eval is a leak before it is too small."""
    leak, other = {"prompt": asked_by(house), "answer": "2"}, {"prompt": "The soup is cold.", "answer": "No."}
    for lines in ([leak], [leak, other]):
        (house.root / "mine.jsonl").write_text("\n".join(map(json.dumps, lines)))
        shown = call(capsys, "mine.jsonl", "--known-answers", "--sizes", str(len(lines)), "--strict")
        assert shown.status == 1, shown.out
        assert "1 lessons stand in an eval; nothing was asked and nothing written" in shown.out
        assert "leak, stands in format[" in shown.out
    assert not Path("reports").exists()


def test_strict_holds_what_augmenting_made(
    house_at: Callable[[str], Project], capsys: pytest.CaptureFixture[str]
) -> None:
    """A prompt that the teacher wrote, and that an eval asks, ends the command before an answer is asked for."""
    asked: list[str] = []
    with ScriptedEndpoint(lambda _: json.dumps([asked[0]])) as endpoint:
        made = house_at(endpoint.base_url)
        asked.append(asked_by(made))
        (made.root / "cold.txt").write_text("The soup is cold.\n")
        arguments = ("cold.txt", "--teacher", "plain", "--augment", "1", "--record", "--strict", "-o", "out")
        shown = call(capsys, *arguments)
        assert shown.status == 1, shown.out
        assert "no answer was asked for and nothing written" in shown.out
        assert len(endpoint.seen) == 1
    assert not Path("out").exists()


def test_strict_writes_nothing_where_a_leak_is_found_late(
    house_at: Callable[[str], Project], capsys: pytest.CaptureFixture[str]
) -> None:
    """A lesson that is looked at only because an answer was refused ends the command with 1, too."""
    failing = [True]

    def script(body: Mapping[str, Any]) -> str:
        return "no list" if failing and failing.pop() else answer(body)

    with ScriptedEndpoint(script) as endpoint:
        house = house_at(endpoint.base_url)
        train = house.root / "fixtures/questions/train/sums_train.csv"
        rows = [f"{word} sums {n}?,{n},{n + 1},{n + 2},{n + 3},B" for word in ("test",) for n in range(4)]
        # A subject of its own keeps the four questions in one batch.
        (train.parent / "leaks_train.csv").write_text("\n".join(rows) + "\n")
        (found,) = read_evals(house.root / "evals")
        ids = [lesson.id for lesson in make_lessons(found.eval, Sources(house.root / "fixtures"))]
        (leak,) = [name for name in ids if name.startswith("leaks")]
        seed = next(n for n in range(999) if sorted(ids, key=lambda name: hash_words(n, name))[-2] == leak)
        size = str(len(ids) - 2)
        arguments = ("format", "--teacher", "plain", "--sizes", size, "--seed", str(seed), "--strict", "--record")
        shown = call(capsys, *arguments)
    assert shown.status == 1, shown.out
    assert "1 lessons stand in an eval; nothing was written" in shown.out
    assert not TAUGHT.exists()


def test_prompt_of_an_eval_is_no_training_example(house: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """What an eval sends, word for word, is left out of a file of prompts: alone, and as a turn of a chat."""
    asked = asked_by(house)
    turns = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": "Hm."},
        {"role": "user", "content": "Sure?"},
    ]
    lines = [
        {"prompt": asked, "answer": "x"}, {"messages": turns, "answer": "x"}, {"prompt": "Cold soup!", "answer": "x"},
    ]  # fmt: skip
    (house.root / "p.jsonl").write_text("\n".join(map(json.dumps, lines)))
    shown = call(capsys, "p.jsonl", "--known-answers", "-o", "out")
    assert shown.status == 0, shown.out
    assert "refused: 2 leak (exact)" in shown.out
    assert "its message 1 (user) stands in format[" in shown.out
    assert [chat[0]["content"] for chat in chats(Path("out/n1.jsonl"))] == ["Cold soup!"]


def test_teacher_is_asked_only_when_told_to(
    house: Project, endpoint: ScriptedEndpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --record nothing is sent, a dry run tells the plan, and recorded answers give the same files."""
    arguments = ("format", "--teacher", "plain", "--sizes", "5", "--validation", "2")
    refused = call(capsys, *arguments)
    assert refused.status == 4
    assert "2 of 2 answers of 'plain' are not recorded in format-train" in refused.out
    dry = call(capsys, *arguments, "--dry-run")
    assert (dry.status, TAUGHT.exists()) == (0, False)
    assert "plan: 7 live calls, 0 recorded" in dry.out
    assert not endpoint.seen
    live = call(capsys, *arguments, "--record")
    assert live.status == 0, live.out
    assert len(endpoint.seen) == 7
    assert house.root.joinpath("cassettes/format-train/plain.json").exists()
    before = content_of(TAUGHT)
    replay = call(capsys, *arguments)
    assert replay.status == 0, replay.out
    assert "plan: 0 live calls, 7 recorded" in replay.out
    assert (len(endpoint.seen), content_of(TAUGHT)) == (7, before)


@pytest.mark.usefixtures("house")
def test_larger_size_asks_only_for_what_it_adds(endpoint: ScriptedEndpoint, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples of a smaller set are recorded; and all of them stand in the larger one."""
    for size in ("2", "6"):
        assert call(capsys, "format", "--teacher", "plain", "--sizes", size, "--record", "-o", f"n{size}").status == 0
    assert len(endpoint.seen) == 6
    assert Path("n6/n6.jsonl").read_bytes().startswith(Path("n2/n2.jsonl").read_bytes())


@pytest.mark.usefixtures("house")
def test_answers_that_miss_the_checks_are_not_learned(
    endpoint: ScriptedEndpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    """A teacher that wraps its lists in words fails the eval's checks; a fifth more is tried and no further."""
    shown = call(capsys, "format", "--teacher", "prose", "--sizes", "5", "--record")
    assert shown.status == 4
    assert "misses json_list, keys, schema, exact, answers" in shown.out
    assert "--spare N" in shown.out
    assert len(endpoint.seen) == 6
    waived = call(capsys, "format", "--teacher", "prose", "--sizes", "5", "--waive", "*")
    assert waived.status == 0, waived.out


def test_broken_off_asking_goes_on_where_it_ended(
    house_at: Callable[[str], Project], capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers that did not come are told, the others are kept, and the same command asks for the rest alone."""
    failing = [True]

    def script(body: Mapping[str, Any]) -> Scripted | str:
        if failing[0] and "learn sums" in body["messages"][-1]["content"]:
            return Scripted("out of order", status=400)
        return answer(body)

    with ScriptedEndpoint(script) as endpoint:
        house_at(endpoint.base_url)
        arguments = ("format", "--teacher", "plain", "--record")
        broken = call(capsys, *arguments)
        assert broken.status == 4
        assert "6 of 12 answers did not come" in broken.out
        assert "the same command goes on" in broken.out
        assert not TAUGHT.exists()
        failing[0], before = False, len(endpoint.seen)
        whole = call(capsys, *arguments)
    assert whole.status == 0, whole.out
    assert "plan: 6 live calls, 6 recorded" in whole.out
    assert len(endpoint.seen) - before == 6
    assert len(chats(TAUGHT / "n12.jsonl")) == 12


def test_killed_command_loses_the_answer_in_flight_alone(
    house_at: Callable[[str], Project], capsys: pytest.CaptureFixture[str]
) -> None:
    """After SIGKILL the same command asks for what was not answered, and writes what it would have written."""
    stuck, release = threading.Event(), threading.Event()

    def script(body: Mapping[str, Any]) -> Scripted | str:
        if len(endpoint.seen) == 4:
            stuck.set()
            release.wait(timeout=20)
        return answer(body)

    with ScriptedEndpoint(script) as endpoint:
        house = house_at(endpoint.base_url)
        arguments = ("format", "--teacher", "plain", "--record", "--max-connections", "1")
        command = [sys.executable, "-m", "tunegate", "distill", *arguments]
        with subprocess.Popen(
            command,
            cwd=house.root,
            env=OURS | {"PYTHONPATH": str(ROOT / "tools")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as killed:
            assert stuck.wait(timeout=20)
            killed.kill()
        release.set()
        assert not TAUGHT.exists()
        shown = call(capsys, *arguments)
        assert shown.status == 0, shown.out
        assert "plan: 9 live calls, 3 recorded" in shown.out
        after_kill = content_of(TAUGHT)
        assert len(endpoint.seen) == 3 + 1 + 9
        assert call(capsys, *arguments, "--cassettes", "fresh").status == 0
    assert content_of(TAUGHT) == after_kill


def test_budget_holds(house: Project, endpoint: ScriptedEndpoint, capsys: pytest.CaptureFixture[str]) -> None:
    """--max-cost stops asking before it is exceeded, and cannot be given where a price is unknown."""
    arguments = ("format", "--teacher", "plain", "--sizes", "5", "--record", "--max-cost", "0.8")
    unknown = call(capsys, *arguments)
    assert unknown.status == 4
    assert "nobody knows what plain costs" in unknown.out
    assert not endpoint.seen
    (house.root / "fixtures/prices.toml").write_text(PRICES.format("plain", 0, 10_000))
    stopped = call(capsys, *arguments)
    assert stopped.status == 4
    assert "the budget of 0.80 USD is used up" in stopped.out
    # A call may cost 64 tokens, 0.64 USD, and costs 8, 0.08 USD: the fourth does not fit.
    assert len(endpoint.seen) == 3
    assert call(capsys, *arguments).status == 0
    assert len(endpoint.seen) == 5


def test_what_cannot_be_written_is_told_before_anything_is_asked(
    house: Project, endpoint: ScriptedEndpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder with other files, or a student that nobody knows, costs no call."""
    (house.root / "mine").mkdir()
    (house.root / "mine" / "notes.txt").write_text("mine")
    for arguments, told in ((("-o", "mine"), "left alone"), (("--student", "nobody"), "wanted one row")):
        shown = call(capsys, "format", "--teacher", "plain", "--record", *arguments)
        assert shown.status == 4
        assert told in shown.out
    assert not endpoint.seen


def test_price_of_training_and_break_even_are_told(house: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Tokens x epochs x price; and after how many calls the student has saved what it cost."""
    prices = PRICES.format("plain", 10, 10) + PRICES.format("prose", 1, 1)
    (house.root / "fixtures/prices.toml").write_text(prices)
    arguments = ("format", "--teacher", "plain", "--sizes", "4", "--student", "prose", "--epochs", "2", "--record")
    shown = call(capsys, *arguments)
    assert shown.status == 0, shown.out
    manifest = read_manifest(TAUGHT)
    (file,) = manifest["files"]
    assert file["training_usd"] == pytest.approx(file["tokens"] * 2 * 100 / 1e6)
    # The scripted server counts 7 tokens a prompt and the words of a reply, which are 8.
    assert (file["tokens"], file["counted_examples"]) == (4 * 15, 4)
    assert manifest["teaching_usd"] == pytest.approx(4 * 15 * 10 / 1e6)
    assert "training prose for 2 epochs: $0.012" in shown.out
    # The student's longer prompt is estimated, the teacher's was counted: here it never pays.
    assert "break-even: never" in shown.out
    replacing = call(capsys, *arguments, "--replaces", "plain")
    found = read_manifest(TAUGHT)["break_even"]
    assert found["outlay_usd"] == pytest.approx(0.012 + 0.0006)
    saved = found["replaced"]["usd"] - found["student"]["usd"]
    assert found["replaced"]["usd"] == pytest.approx(10 * found["student"]["usd"])
    assert found["calls"] == -(-found["outlay_usd"] // saved)
    assert f"break-even: after about {found['calls']:,} calls" in replacing.out


@pytest.mark.usefixtures("house")
def test_teacher_may_see_more_than_the_student(endpoint: ScriptedEndpoint, capsys: pytest.CaptureFixture[str]) -> None:
    """Worked examples and a system message of the teacher's own are asked with and not learned."""
    arguments = ("--shots", "1", "--system", "Be brief.", "--teacher-system", "Think hard.")
    shown = call(capsys, "format", "--teacher", "plain", "--sizes", "2", "--record", *arguments)
    assert shown.status == 0, shown.out
    roles = [message["role"] for message in endpoint.seen[0].body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert endpoint.seen[0].body["messages"][0]["content"] == "Think hard."
    learned = chats(TAUGHT / "n2.jsonl")[0]
    assert [message["role"] for message in learned] == ["system", "user", "assistant"]
    assert learned[0]["content"] == "Be brief."
    # What the server counted is another prompt.
    assert read_manifest(TAUGHT)["files"][0]["counted_examples"] == 0


def test_file_of_prompts_is_taught(house: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Prompts from a file are answered, written `--repetitions` times, and asked as the switches say."""
    (house.root / "cold.txt").write_text("The soup is cold.\nMy parcel is late.\n")
    (house.root / "rude.txt").write_text("Be rude.\n")
    arguments = ("--system", "@rude.txt", "--temperature", "0.7", "--max-tokens", "33", "--repetitions", "3")
    shown = call(capsys, "cold.txt", "--teacher", "plain", "--record", *arguments)
    assert shown.status == 0, shown.out
    learned = chats(Path("reports/training/cold-plain/n2.jsonl"))
    assert len(learned) == 6
    assert learned[:2] == learned[2:4] == learned[4:]
    assert learned[0][0] == {"role": "system", "content": "Be rude."}
    manifest = read_manifest(Path("reports/training/cold-plain"))
    assert manifest["case_files"].keys() >= {"cold.txt"}
    assert (manifest["temperature"], manifest["max_tokens"], manifest["system"]) == (0.7, 33, "Be rude.")


def test_prompts_may_bring_their_answers(house: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A JSONL with answers needs no teacher; a prompt that stands in an eval is refused there, too."""
    asked = "Question 1: test sums 0?"
    lines = [{"prompt": "The soup is cold.", "answer": "So are you."}, {"prompt": asked, "answer": "2"}]
    (house.root / "rude.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert call(capsys, "rude.jsonl", "--known-answers", "-o", "out").status == 0
    assert chats(Path("out/n2.jsonl"))[0][0]["role"] == "user"
    (house.root / "evals/test_chat.py").write_text(
        "from dataclasses import dataclass\n"
        "from tunegate.cases import evaluates\n"
        "@dataclass(frozen=True)\n"
        "class Line:\n    id: str\n    text: str\n    subject: str = 'chat'\n"
        "def lines(sources): return [Line('soup', 'the SOUP is cold.')]\n"
        "def prompt(line, sources): return [{'role': 'user', 'content': line.text}]\n"
        "@evaluates('chat', cases=lines, prompt=prompt)\ndef test_chat(case, ask, score): ...\n"
    )
    shown = call(capsys, "rude.jsonl", "--known-answers", "-o", "out")
    assert "leak, stands in chat[soup]" in shown.out
    assert len(chats(Path("out/n1.jsonl"))) == 1


def test_augmenting_adds_what_the_teacher_writes(
    house_at: Callable[[str], Project], capsys: pytest.CaptureFixture[str]
) -> None:
    """Variants of each prompt are asked for and then answered like the prompts; a second call asks nothing."""

    def script(body: Mapping[str, Any]) -> str:
        said = body["messages"][-1]["content"]
        if "Write 2 new prompts" in body["messages"][0]["content"]:
            return json.dumps([f"{said} Twice", f"{said} Three times"])
        return f"answer to {said}"

    with ScriptedEndpoint(script) as endpoint:
        made = house_at(endpoint.base_url)
        (made.root / "cold.txt").write_text("The soup is cold.\nMy parcel is late.\n")
        arguments = ("cold.txt", "--teacher", "plain", "--augment", "2", "-o", "out")
        dry = call(capsys, *arguments, "--dry-run")
        assert "plan: 2 live calls" in dry.out
        assert "not known yet" in dry.out
        shown = call(capsys, *arguments, "--record")
        assert shown.status == 0, shown.out
        assert "augmented 2 prompts by 4" in shown.out
        assert len(endpoint.seen) == 2 + 6
        assert [seen.body["temperature"] for seen in endpoint.seen[:2]] == [1.0, 1.0]
        again = call(capsys, *arguments)
        assert again.status == 0, again.out
        assert len(endpoint.seen) == 8
    said = {chat[0]["content"]: chat[1]["content"] for chat in chats(Path("out/n6.jsonl"))}
    assert said["The soup is cold. Twice"] == "answer to The soup is cold. Twice"
    assert len(said) == 6


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("format",), "required"),
        (("format", "--known-answers", "--teacher", "plain"), "not allowed with"),
        (("fromat", "--known-answers"), "evals in evals: format"),
        (("format", "--known-answers", "--sizes", "0"), "a number from 1 on"),
        (("format", "--known-answers", "--sizes", "13"), "wanted 13 training"),
        (("format", "--known-answers", "--record"), "--record is for a teacher"),
        (("format", "--known-answers", "--near", "2"), "wanted a share"),
        (("format", "--known-answers", "--evals", "nowhere"), "no folder of evals"),
        (("format", "--known-answers", "--student", "nobody"), "wanted one row"),
        (("format", "--known-answers", "--system", "@nowhere"), "cannot read the text"),
        (("format", "--teacher", "p*", "--dry-run"), "wanted one model, found plain, prose"),
        (("format", "--teacher", "plain", "--augment", "2", "--dry-run"), "--augment is for a file"),
    ],
)
def test_wrong_commands_end_with_four(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be meant is told, and nothing is written."""
    ended = call(capsys, *arguments)
    assert ended.status == 4, ended.out
    assert told in ended.out
    assert not Path("reports").exists()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_progress_says_how_far_how_quick_and_how_long() -> None:
    """On a terminal one line is written over; elsewhere there is a line for each tenth."""
    for stream, lines in ((io.StringIO(), 10), (Terminal(), 1)):
        now = [0.0]
        progress = Progress("answers", stream=stream, clock=lambda now=now: now[0])
        progress.begin(100)
        for step in range(1, 101):
            now[0] = step / 2
            progress.step()
            if step == 50:
                assert stream.getvalue().rstrip("\n\x1b[K").endswith("50/100 answers  2.0/s  0:25 left")
        progress.end()
        assert stream.getvalue().count("\n") == lines
        assert "100/100 answers" in stream.getvalue()
