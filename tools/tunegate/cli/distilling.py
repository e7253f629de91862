"""One distillation: what it reads, who answers, what it writes. The door joins the training sets and the engine."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tunegate.cases import Model
from tunegate.cli.distill_materials import Materials, Subject
from tunegate.cli.distill_outcomes import Augmentation, Done, Leaks, Noting
from tunegate.cli.teacher import (
    Asking,
    Classroom,
    EngineTeacher,
    Progress,
    choose_teacher,
    open_classroom,
)
from tunegate.distill import (
    BreakEven,
    Chosen,
    Demand,
    Filter,
    Judge,
    KnownAnswers,
    Made,
    Teacher,
    augmenting_eval,
    break_even,
    check_folder,
    choose_examples,
    eval_of_prompts,
    find_leaks,
    leaks_among,
    make_lessons,
    mean_call,
    read_variants,
    taught_call,
    training_price,
    training_usd,
    write_folder,
)
from tunegate.distill.augmentation import TEMPERATURE
from tunegate.distill.choosing import plus
from tunegate.errors import UsageError

if TYPE_CHECKING:
    from tunegate.session import Planned

TRAINING = Path("reports") / "training"
_SAMPLE = 200
"""Examples from which the cost of a call is estimated."""


class Distilling:
    """One call of the command; what it reads is read when it is first needed."""

    def __init__(self, given: argparse.Namespace, *, show: Callable[[str], None]) -> None:
        self._given = given
        self._show = show
        self._materials = Materials(given)

    def leaks(self) -> Leaks | None:
        """Return the lessons that --strict finds in an eval, of those that would be looked at; None where none is."""
        return self._leaks_of(self._materials.subject, so_far="nothing was asked and nothing written")

    def with_known_answers(self) -> Done | Leaks:
        """Write a training set of the answers that the source knows."""
        given = self._given
        for option, value in (("record", given.record), ("dry-run", given.dry_run), ("augment", given.augment)):
            if value:
                raise UsageError(f"--{option} is for a teacher, and --known-answers asks none: leave one out")
        self._look_early(teacher=None)
        subject = self._materials.subject
        demand = replace(self._demand, spare=None)
        chosen = choose_examples(
            subject.lessons, demand, filter_=self._filter(subject), teacher=KnownAnswers(subject.eval)
        )
        return self._found_late(chosen) or self._written(chosen, subject, teacher=None)

    def with_teacher(self) -> Done | Leaks | None:
        """Write a training set of a teacher's answers; None after a dry run."""
        given = self._given
        model = choose_teacher(
            self._materials.matrix,
            given.teacher,
            library=self._materials.library,
            may_ask=bool(given.record or given.dry_run),
            base_url=given.base_url,
        )
        self._look_early(teacher=model)
        with open_classroom(
            model,
            library=self._materials.library,
            sources=self._materials.sources,
            prices=self._materials.prices,
            mode="none" if given.dry_run else given.record or "none",
            max_in_flight=given.max_connections,
            max_cost_usd=given.max_cost,
            show=self._show,
        ) as classroom:
            augmented = self._augmented(model, classroom=classroom)
            return None if augmented is None else self._taught(augmented, model, classroom=classroom)

    def _taught(self, augmented: Augmentation, model: Model, *, classroom: Classroom) -> Done | Leaks | None:
        given, subject = self._given, augmented.subject
        leaks = self._leaks_of(subject, so_far="no answer was asked for and nothing written")
        if leaks is not None:
            return leaks
        teacher = EngineTeacher(
            replace(subject.eval, name=f"{subject.eval.name}-train"),
            model,
            classroom=classroom,
            asking=Asking(
                temperature=given.temperature,
                max_tokens=given.max_tokens,
                shots=given.shots,
                system=self._materials.system
                if self._materials.teacher_system is None
                else self._materials.teacher_system,
            ),
            sources=self._materials.sources,
            progress=Progress("answers"),
        )
        # Told before anything is paid for: whether there are enough lessons, and what asking for them takes.
        noting = Noting([])
        self._preview(subject, teacher=noting)
        self._announce(teacher.plan(noting.lessons), classroom=classroom)
        if given.dry_run:
            return None
        chosen = choose_examples(subject.lessons, self._demand, filter_=self._filter(subject), teacher=teacher)
        whole = replace(chosen, teaching_usd=plus(chosen.teaching_usd, augmented.cost_usd))
        return self._found_late(whole) or self._written(whole, subject, teacher=model)

    def _augmented(self, model: Model, *, classroom: Classroom) -> Augmentation | None:
        """Return the subject with the prompts that the teacher adds; None where a dry run cannot know them."""
        count, subject = self._given.augment, self._materials.subject
        if not count:
            return Augmentation(subject, 0.0)
        if not subject.prompts:
            raise UsageError("--augment is for a file of prompts: the cases of an eval are its own to make")
        # What stands in an eval is not learned from, and what is made of it would be near it.
        asked = self._materials.without_leaks(subject.lessons)
        kept = {lesson.id for lesson in asked}
        seeds = [prompt for prompt in subject.prompts if prompt.id in kept]
        teacher = EngineTeacher(
            augmenting_eval(f"{subject.eval.name}-augment", seeds, count=count),
            model,
            classroom=classroom,
            asking=Asking(temperature=TEMPERATURE),
            sources=self._materials.sources,
            progress=Progress("prompts"),
        )
        calls = self._announce(teacher.plan(asked), classroom=classroom)
        if self._given.dry_run and calls:
            self._show("what the teacher will write is not known yet, nor what the answers to it will cost")
            return None
        replies = teacher.teach(asked)
        made = read_variants(seeds, replies, count=count)
        self._show(
            f"augmented {len(seeds):,} prompts by {len(made.prompts):,}; replies without a list: {made.unusable:,}"
        )
        eval_ = eval_of_prompts(subject.eval.name, (*subject.prompts, *made.prompts))
        lessons = make_lessons(eval_, self._materials.sources, system=self._materials.system)
        cost: float | None = 0.0
        for reply in replies:
            cost = plus(cost, reply.cost_usd)
        return Augmentation(replace(subject, eval=eval_, lessons=tuple(lessons)), cost)

    def _leaks_of(self, subject: Subject, *, so_far: str) -> Leaks | None:
        if not self._given.strict:
            return None
        found = find_leaks(subject.lessons, self._demand, filter_=self._filter(subject))
        return Leaks(tuple(found), so_far) if found else None

    def _found_late(self, chosen: Chosen) -> Leaks | None:
        """Return the leaks among lessons that took the place of refused answers, which nobody could know before."""
        found = leaks_among(chosen.refused) if self._given.strict else []
        return Leaks(tuple(found), "nothing was written") if found else None

    def _preview(self, subject: Subject, *, teacher: Teacher) -> None:
        """Choose as if every answer were right: what is looked at first."""
        unjudged = replace(self._filter(subject), judge=None)
        choose_examples(subject.lessons, self._demand, filter_=unjudged, teacher=teacher)

    def _filter(self, subject: Subject) -> Filter:
        judge = Judge(subject.test, self._materials.sources, waived=tuple(self._given.waive))
        return Filter(self._materials.evaluation, judge, self._given.near)

    def _announce(self, cells: Sequence[Planned], *, classroom: Classroom) -> int:
        given = self._given
        checks_keys = bool(given.record) and not given.dry_run
        return classroom.announce(cells, records_all=given.record == "all", checks_keys=checks_keys).calls

    def _written(self, chosen: Chosen, subject: Subject, *, teacher: Model | None) -> Done:
        given = self._given
        student = self._materials.row(given.student) if given.student else None
        price = training_price(self._materials.prices, student) if student else None
        made = Made(
            source=subject.eval.name,
            teacher=teacher.name if teacher else None,
            student=given.student,
            seed=given.seed,
            epochs=given.epochs,
            repetitions=given.repetitions,
            near=given.near,
            system=self._materials.system,
            teacher_system=self._materials.teacher_system,
            temperature=given.temperature if teacher else None,
            max_tokens=given.max_tokens,
            shots=given.shots if teacher else 0,
            augment=given.augment,
            waived=tuple(given.waive),
            case_files=self._materials.digests(subject),
        )
        earned_back = None
        if student is not None:
            largest = max(len(chosen.train[:size]) for size in given.sizes)
            tokens = sum(example.tokens for example in chosen.train[:largest]) * given.repetitions
            outlay = plus(chosen.teaching_usd, training_usd(price, tokens=tokens, epochs=given.epochs))
            earned_back = self._earned_back(chosen, subject, student=student, teacher=teacher, outlay_usd=outlay)
        written = write_folder(
            self._folder(teacher),
            chosen,
            made=made,
            sizes=given.sizes,
            evaluation=self._materials.evaluation,
            price=price,
            earned_back=earned_back,
        )
        return Done(chosen, written, made, self._materials.evaluation, earned_back)

    def _look_early(self, *, teacher: Model | None) -> None:
        """Find out before anything is paid for whether what comes of it can be written.

        Raises:
            TunegateError: the folder holds something else, or a model that was named stands in no matrix.
        """
        check_folder(self._folder(teacher))
        for name in filter(None, (self._given.student, self._given.replaces)):
            self._materials.row(name)

    def _folder(self, teacher: Model | None) -> Path:
        # A model's name may hold colons and slashes.
        who = teacher.name if teacher else "known-answers"
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{self._materials.subject.eval.name}-{who}")
        output: Path | None = self._given.output
        return output or TRAINING / name

    def _earned_back(
        self, chosen: Chosen, subject: Subject, *, student: Model, teacher: Model | None, outlay_usd: float | None
    ) -> BreakEven | None:
        """Return when the student has paid for itself; None where a price is unknown or it replaces nobody."""
        examples = chosen.train[:_SAMPLE]
        learned = mean_call(student, [example.messages for example in examples], prices=self._materials.prices)
        replaced = taught_call(teacher.name, examples) if teacher else None
        if self._given.replaces:
            row = self._materials.row(self._given.replaces)
            cases = {lesson.id: lesson.case for lesson in subject.lessons}
            sources = self._materials.sources.with_shots(row.shots or 0)
            chats = [[*subject.eval.prompt(cases[example.id], sources), example.messages[-1]] for example in examples]
            replaced = mean_call(row, chats, prices=self._materials.prices)
        if learned is None or replaced is None or outlay_usd is None:
            return None
        return break_even(outlay_usd=outlay_usd, student=learned, replaced=replaced)

    @cached_property
    def _demand(self) -> Demand:
        given = self._given
        largest = max((size for size in given.sizes if size is not None), default=1)
        train = None if None in given.sizes else largest
        # Answers that are refused must not make a command ask for ever.
        spare = given.spare if given.spare is not None else -(-(train or 0) // 5)
        return Demand(train, given.validation, given.seed, spare, least=largest)
