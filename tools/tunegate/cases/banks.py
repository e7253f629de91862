"""The bank: where questions lie, and which of them are asked together.

A batch's id is a promise: recordings, records and paired statistics meet by it. So the cut depends on the
questions alone; how many are asked, and which, is decided afterwards and moves nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tunegate.cases.names import list_names, match_names
from tunegate.cases.questions import Batch, Question, cut_groups, hash_words, mix_subjects, order_questions
from tunegate.errors import CaseFileError, UsageError

PARTS = ("test", "dev", "train", "val")


@dataclass(frozen=True)
class Reading:
    """The questions of one file and the SHA-256 (hex) of the bytes they were read from."""

    questions: Sequence[Question]
    sha256: str


@dataclass(frozen=True)
class Sheet:
    """One file of a bank, read when its part is first asked for."""

    name: str
    """Path inside the bank, with slashes."""
    part: str
    read: Callable[[], Reading]


class Bank:
    """A set of questions in parts: `test` is asked, `dev` is shown worked, `train` is learned from."""

    def __init__(self, origin: str, sheets: Iterable[Sheet]) -> None:
        self.origin = origin
        """What was asked for: a path, or `mmlu`."""
        self._sheets = tuple(sheets)
        self._questions: dict[str, tuple[Question, ...]] = {}
        self._batches: dict[tuple[str, int], Mapping[str, list[Batch]]] = {}
        self._worked: dict[tuple[int, int], list[Batch]] = {}
        self._sha256: dict[str, str] = {}

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The parts that are there."""
        present = {sheet.part for sheet in self._sheets}
        return tuple(part for part in PARTS if part in present)

    @property
    def test(self) -> tuple[Question, ...]:
        """The questions that are asked."""
        return self.questions("test")

    @property
    def dev(self) -> tuple[Question, ...]:
        """The questions that are shown worked, as examples."""
        return self.questions("dev")

    @property
    def train(self) -> tuple[Question, ...]:
        """The questions that a model may learn from."""
        return self.questions("train")

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over the questions of all parts, whatever their layout and order."""
        return self.digest_of(*self.parts)

    @property
    def files(self) -> Mapping[str, str]:
        """SHA-256 (hex) of the files that were read so far, by their path inside the bank."""
        return dict(self._sha256)

    def digest_of(self, *parts: str) -> str:
        """Return the digest over these parts only: a large part that nobody uses need not be read."""
        lines = (_line(part, question) for part in parts for question in self.questions(part))
        return hashlib.sha256("\n".join(sorted(lines)).encode("ascii")).hexdigest()

    def questions(self, part: str = "test") -> tuple[Question, ...]:
        """Return the questions of a part in the order of the files.

        Raises:
            CaseFileError: the part is missing or empty, or one of its files cannot be read.
        """
        if part not in self._questions:
            self._questions[part] = self._read(part)
        return self._questions[part]

    def subjects(self, part: str = "test") -> tuple[str, ...]:
        """Return the subjects of a part, sorted."""
        return tuple(sorted({question.subject for question in self.questions(part)}))

    def batches(
        self,
        *,
        of: int = 4,
        part: str = "test",
        limit: int | None = None,
        seed: int = 0,
        subjects: Sequence[str] = (),
    ) -> list[Batch]:
        """Return the batches of a part, sorted by subject and number.

        `limit` takes that many, chosen by `seed`; a larger limit contains the smaller one. `subjects` are
        globs. What a batch contains depends on none of them.

        Raises:
            CaseFileError: the part cannot be read, or has too few questions for even one batch.
            UsageError: a subject matches nothing, or the limit is not positive.
        """
        if limit is not None and limit < 1:
            raise UsageError(f"limit of batches: wanted at least 1, found {limit}")
        by_subject = self._cut(of=of, part=part)
        chosen = self._match_subjects(subjects, part=part)
        batches = [batch for subject in chosen for batch in by_subject[subject]]
        if not batches:
            most = max(Counter(q.subject for q in self.questions(part) if q.subject in chosen).values())
            raise CaseFileError(
                f"{self.origin}, {part} part: wanted at least {of} different questions of one subject,"
                f" to fill a batch, found at most {most}"
            )
        if limit is None or limit >= len(batches):
            return batches
        taken = {batch.id for batch in sorted(batches, key=lambda batch: hash_words(seed, batch.id))[:limit]}
        return [batch for batch in batches if batch.id in taken]

    def leftovers(self, *, of: int = 4, part: str = "test") -> Mapping[str, int]:
        """Return how many questions of each subject fill no batch and are never asked."""
        counts = Counter(question.subject for question in self.questions(part))
        cut = self._cut(of=of, part=part)
        return {subject: counts[subject] - of * len(cut[subject]) for subject in sorted(counts)}

    def solved(self, count: int, *, of: int = 4, seed: int = 0) -> list[Batch]:
        """Return `count` batches from the dev part to show worked, each of as many subjects as possible.

        Fewer are the beginning of more, so that a curve over the number of examples adds and never swaps.

        Raises:
            CaseFileError: there is no dev part, or it has too few questions.
            UsageError: the count is negative.
        """
        if count < 0:
            raise UsageError(f"worked examples: wanted 0 or more, found {count}")
        if count == 0:
            return []
        # Kept, because a prompt asks for them again before every case.
        if (of, seed) not in self._worked:
            groups = cut_groups(mix_subjects(self.dev, seed=seed), of=of)
            self._worked[of, seed] = [
                Batch(id=f"solved-{number:02}", subject="mixed", questions=group)
                for number, group in enumerate(groups, start=1)
            ]
        worked = self._worked[of, seed]
        if len(worked) < count:
            raise CaseFileError(
                f"{self.origin}, dev part: wanted {count * of} questions for {count} worked examples of {of},"
                f" found enough for {len(worked)}"
            )
        return worked[:count]

    def _read(self, part: str) -> tuple[Question, ...]:
        if part not in self.parts:
            raise CaseFileError(
                f"{self.origin}: wanted a {part} part, found {', '.join(self.parts) or 'no part at all'}"
            )
        questions: list[Question] = []
        for sheet in self._sheets:
            if sheet.part == part:
                reading = sheet.read()
                questions.extend(reading.questions)
                self._sha256[sheet.name] = reading.sha256
        if not questions:
            raise CaseFileError(f"{self.origin}, {part} part: wanted questions, found only empty files")
        return tuple(questions)

    def _cut(self, *, of: int, part: str) -> Mapping[str, list[Batch]]:
        if of < 1:
            raise UsageError(f"questions per batch: wanted at least 1, found {of}")
        if (part, of) not in self._batches:
            by_subject: defaultdict[str, list[Question]] = defaultdict(list)
            for question in self.questions(part):
                by_subject[question.subject].append(question)
            self._batches[part, of] = {
                subject: _number_batches(subject, cut_groups(order_questions(questions), of=of))
                for subject, questions in sorted(by_subject.items())
            }
        return self._batches[part, of]

    def _match_subjects(self, patterns: Sequence[str], *, part: str) -> tuple[str, ...]:
        existing = self.subjects(part)
        if not patterns:
            return existing
        chosen: set[str] = set()
        for pattern in patterns:
            matched = match_names(pattern, existing)
            if not matched:
                raise UsageError(
                    f"no subject matches {pattern!r} in {self.origin}, {part} part\n"
                    f"  there are: {list_names(pattern, existing)}"
                )
            chosen.update(matched)
        return tuple(sorted(chosen))


def _number_batches(subject: str, groups: Sequence[tuple[Question, ...]]) -> list[Batch]:
    digits = max(2, len(str(len(groups))))
    return [
        Batch(id=f"{subject}-{number:0{digits}}", subject=subject, questions=group)
        for number, group in enumerate(groups, start=1)
    ]


def _line(part: str, question: Question) -> str:
    return json.dumps([part, question.subject, question.text, *question.options, question.answer])
