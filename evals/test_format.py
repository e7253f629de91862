"""Format: four multiple-choice questions in one call, answered by a JSON list and nothing else.

A right answer is a list of four objects, one a question in order, each with one key, the question's number, whose
value is the number of the chosen option:

    [{"1": "3"}, {"2": "1"}, {"3": "4"}, {"4": "2"}]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from tunegate.cases import Batch, Message, Sources, evaluates
from tunegate.checks import Check, JsonReply, Problem, Reply, Shape, brief, judge_json, kind_of

INSTRUCTION = (
    "Answer every multiple-choice question. Reply with a JSON list and nothing else: one object for each question, in "
    "order. Its only key is the number of the question, its value the number of the right option, both as strings. "
    'For example: [{"1": "3"}, {"2": "1"}, {"3": "4"}, {"4": "2"}]'
)


def batches(sources: Sources) -> list[Batch]:
    """Return the cases: four questions of one subject each, 200 of them where `--limit` does not say."""
    return sources.batches(of=4, sample=200)


def lessons(sources: Sources) -> list[Batch]:
    """Return what a model may learn from: batches of the same kind, of other questions."""
    return sources.lessons(of=4)


def prompt(batch: Batch, sources: Sources) -> list[Message]:
    """Return the chat: the instruction, the solved batches that `--shots` asks for, and the questions."""
    messages: list[Message] = [{"role": "system", "content": INSTRUCTION}]
    for solved in sources.solved(of=4):
        messages.append({"role": "user", "content": ask_in_words(solved)})
        messages.append({"role": "assistant", "content": solution(solved)})
    return [*messages, {"role": "user", "content": ask_in_words(batch)}]


def ask_in_words(batch: Batch) -> str:
    """Return the questions as text, numbered like their options from 1."""
    return "\n\n".join(
        f"Question {number}: {question.text}\n"
        + "\n".join(f"{choice}. {option}" for choice, option in enumerate(question.options, 1))
        for number, question in enumerate(batch.questions, 1)
    )


def answer_key(batch: Batch) -> list[dict[str, str]]:
    """Return the right answer."""
    return [{str(number): str(question.answer)} for number, question in enumerate(batch.questions, 1)]


def solution(batch: Batch) -> str:
    """Return the right answer as a reply says it."""
    return json.dumps(answer_key(batch))


def checks(batch: Batch, text: str, shape: Shape) -> list[Check]:
    """Return the study's five metrics, and whether the list has its whole shape or could be had from the reply.

    Each answer is a check of its own. `values` is judged only of a list whose keys are right.
    """
    reply = judge_json(text, shape)
    right = answer_key(batch)
    given: list[object] = reply.json.value if reply.root_ok and isinstance(reply.json.value, list) else []
    keys_hold = reply.root_ok and not reply.keys_problems
    return [
        Check("json_list", reply.root_ok, expected="a JSON list", got=reply.json.problem or kind_of(reply.json.value)),
        Check("keys", keys_hold, expected='keys "1" to "4" in order', got=first_of(reply.keys_problems, reply)),
        Check(
            "values",
            not reply.values_problems if keys_hold else None,
            expected='values "1" to "4"',
            got=first_of(reply.values_problems, reply),
        ),
        Check("schema", reply.fits, expected="the whole shape", got=first_of(reply.problems, reply)),
        Check(
            "exact",
            reply.fits and given == right,
            expected=brief(right),
            got=brief(given) if reply.root_ok else "no list",
        ),
        *answer_checks(given, right),
        Check("recoverable", reply.recoverable, expected="the list, somewhere in the reply", advisory=True),
    ]


def answer_checks(given: list[object], right: Sequence[object]) -> Iterator[Check]:
    """Yield a check for each answer: the item in its place, whatever the rest of the list is."""
    for number, key in enumerate(right, 1):
        answer = given[number - 1 : number]
        got = brief(answer[0]) if answer else "nothing"
        yield Check("answers", answer == [key], expected=brief(key), got=got, question=number)


def first_of(problems: Sequence[Problem], reply: JsonReply) -> str:
    """Say in a few words what the first of `problems` is."""
    if not reply.root_ok:
        return "no list"
    return f"{problems[0].place or 'list'}: {problems[0].text}" if problems else ""


@evaluates("format", cases=batches, prompt=prompt, max_tokens=64, training=lessons, answer=solution)
def test_format(
    case: Batch,
    ask: Callable[[], Reply],
    score: Callable[[Sequence[Check]], None],
    schema: Callable[[str], Shape],
) -> None:
    """The reply is a JSON list of four numbered choices, and each choice is right."""
    score(checks(case, ask().text, schema("answer_list")))
