"""A teacher behind an endpoint: what is recorded is replayed, what is not is asked through the engine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from tunegate.cost import estimate_tokens
from tunegate.errors import RecordingMissing, UsageError, WireError

if TYPE_CHECKING:
    from tunegate.cases import Eval, Matrix, Model, PriceBook, Sources
    from tunegate.cassettes import Library
    from tunegate.distill import Lesson, Taught
    from tunegate.session import Answer, Planned, Preparer, Session
    from tunegate.session.desk import RunDesk
    from tunegate.session.forecast import Forecast
    from tunegate.session.pricing import Pricing

Mode = Literal["none", "missing", "all"]


@dataclass(frozen=True)
class Asking:
    """How a teacher is asked."""

    mode: Mode = "none"
    temperature: float = 0.0
    max_tokens: int | None = None
    """None leaves it to the eval."""
    shots: int = 0
    system: str | None = None
    """Replaces the system message that the teacher sees; None leaves it."""


@dataclass(frozen=True)
class Classroom:
    """What it takes to ask: one session, one desk and one budget for everything that a command asks."""

    session: Session
    desk: RunDesk
    library: Library
    pricing: Pricing
    prepare: Preparer
    may_ask: bool

    def announce(self, cells: Sequence[Planned], *, records_all: bool, checks_keys: bool) -> Forecast:
        """Tell what asking these cells takes; with `records_all` even those that are recorded.

        Raises:
            UsageError: the budget cannot be held, or a key is missing that will be needed.
        """
        from tunegate.session.forecast import forecast_run
        from tunegate.session.live import key_of

        plan = forecast_run(
            cells,
            prepare=self.prepare,
            library=self.library,
            pricing=self.pricing,
            records_all=records_all,
        )
        if plan.calls and checks_keys:
            for endpoint in {planned.model.endpoint for planned in cells}:
                key_of(endpoint)
        self.desk.begin(lambda: plan)
        return plan


@contextmanager
def open_classroom(
    model: Model,
    *,
    library: Library,
    sources: Sources,
    prices: PriceBook,
    mode: Mode,
    max_in_flight: int,
    max_cost_usd: float | None,
    show: Callable[[str], None],
) -> Iterator[Classroom]:
    """Open what it takes to ask `model`, and write down what came before it closes; "none" reaches no network."""
    from tunegate.session import Preparer, Session
    from tunegate.session.desk import RunDesk
    from tunegate.session.keeping import Recorder
    from tunegate.session.live import Live, connect
    from tunegate.session.network import network_forbidden
    from tunegate.session.pricing import Pricing

    prepare, pricing = Preparer(sources), Pricing(prices)
    desk = RunDesk([model], max_in_flight=max_in_flight, max_cost_usd=max_cost_usd, show=show)
    with ExitStack() as closing:
        closing.callback(desk.close)
        if mode == "none":
            closing.enter_context(network_forbidden())
            session = Session(library, prepare=prepare)
        else:
            closing.callback(library.merge)
            recorder = Recorder(library)
            closing.callback(recorder.close)
            live = Live(connect=connect, desk=desk, keeper=recorder, pricing=pricing, redactor=library.redactor)
            session = Session(library, prepare=prepare, mode=mode, live=live, in_flight=max_in_flight)
            closing.callback(session.close)
        yield Classroom(session, desk, library, pricing, prepare, may_ask=mode != "none")


class EngineTeacher:
    """Has a model answer lessons.

    Args:
        eval_: whose prompt the teacher sees; its name is that of the recordings.
        model: the teacher.
        classroom: where it is asked.
        asking: how.
        sources: what the prompt is made with.
    """

    def __init__(
        self, eval_: Eval, model: Model, *, classroom: Classroom, asking: Asking, sources: Sources, progress: Progress
    ) -> None:
        from tunegate.distill import with_system

        self._eval = replace(
            eval_,
            prompt=lambda case, sources: with_system(eval_.prompt(case, sources), asking.system),
            max_tokens=asking.max_tokens or eval_.max_tokens,
            # The teacher is asked as the command says: a case's own temperature is for measuring.
            temperature=None,
        )
        self._model = model
        self._room = classroom
        self._asking = asking
        self._sources = sources.with_shots(asking.shots)
        self._progress = progress

    def plan(self, lessons: Sequence[Lesson]) -> list[Planned]:
        """Return the cells that answer lessons, in their order."""
        from tunegate.session import plan_cells

        asked = replace(self._eval, cases=lambda _: [lesson.case for lesson in lessons])
        return plan_cells(asked, self._sources, models=[self._model], repeats=1, temperature=self._asking.temperature)

    def teach(self, lessons: Sequence[Lesson]) -> list[Taught]:
        """Return an answer for each lesson; what came is recorded, whatever becomes of the rest.

        Raises:
            RecordingMissing: some are not recorded, and nothing may be asked.
            WireError: an endpoint gave no usable reply to some.
        """
        cells = self.plan(lessons)
        self._refuse_missing(cells)
        self._room.session.expect(cells)
        taught: list[Taught] = []
        problems: list[WireError] = []
        self._progress.begin(len(cells))
        for planned, lesson in zip(cells, lessons, strict=True):
            try:
                taught.append(self._taught(self._room.session.ask(planned), lesson))
            except WireError as problem:
                # The replies to the others are under way and paid for.
                problems.append(problem)
            finally:
                self._room.session.dismiss(planned)
            self._progress.step()
        self._progress.end()
        if problems:
            raise WireError(
                f"{len(problems):,} of {len(cells):,} answers did not come, the first: {problems[0]}\n"
                "  the others are recorded: the same command goes on where this one ended",
                status=problems[0].status,
            ) from problems[0]
        return taught

    def _refuse_missing(self, cells: Sequence[Planned]) -> None:
        if self._room.may_ask or not cells:
            return
        cassette = self._room.library.cassette(self._eval.name, self._model.name)
        missing = [p for p in cells if not cassette.holds(self._room.prepare(p).request, repeat=p.cell.repeat)]
        if missing:
            raise RecordingMissing(
                f"{len(missing):,} of {len(cells):,} answers of '{self._model.name}' are not recorded in "
                f"{self._eval.name}, and recording is off\n"
                "  to ask for them: --record      to see what that takes: --dry-run"
            )

    def _taught(self, answer: Answer, lesson: Lesson) -> Taught:
        from tunegate.distill import Taught

        reply, state = answer.reading.reply, answer.reading.state
        usage = reply.usage
        tokens = None
        saw_the_same = answer.prepared.messages == lesson.messages
        if saw_the_same and usage.prompt_tokens is not None and _is_plausible(usage.completion_tokens, reply.text):
            tokens = usage.prompt_tokens + (usage.completion_tokens or 0)
        return Taught(
            reply.text,
            problem="" if state == "answered" else state,
            tokens=tokens,
            cost_usd=self._room.pricing.charge(answer.prepared, usage),
        )


class Progress:
    """One line that is written over on a terminal, and a line for each tenth of the way elsewhere."""

    def __init__(self, what: str, *, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._stream = stream or sys.stderr
        self._clock = clock
        self._total = self._done = 0
        self._began_s = 0.0

    def begin(self, total: int) -> None:
        """Start counting to `total`."""
        self._total, self._done, self._began_s = total, 0, self._clock()

    def step(self) -> None:
        """Count one more."""
        self._done += 1
        if self._stream.isatty():
            self._stream.write(f"\r{self.line()}\x1b[K")
        elif self._done * 10 // self._total > (self._done - 1) * 10 // self._total:
            self._stream.write(f"{self.line()}\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line as it stands."""
        if self._stream.isatty() and self._total:
            self._stream.write("\n")

    def line(self) -> str:
        """Return `12/100 answers  3.1/s  0:28 left`."""
        elapsed_s = self._clock() - self._began_s
        rate = self._done / elapsed_s if elapsed_s > 0 else 0.0
        parts = [f"{self._done:,}/{self._total:,} {self._what}"]
        if rate > 0:
            minutes, seconds = divmod(round((self._total - self._done) / rate), 60)
            parts += [f"{rate:.1f}/s", f"{minutes}:{seconds:02} left"]
        return "  ".join(parts)


def choose_teacher(matrix: Matrix, name: str, *, library: Library, may_ask: bool, base_url: str | None) -> Model:
    """Return the one model that a name means.

    Raises:
        MatrixError: nobody knows it.
        UsageError: it means several.
    """
    from tunegate.session import choose_models

    models = choose_models(matrix, [name], library=library, recording=may_ask, base_url=base_url)
    if len(models) != 1:
        raise UsageError(f"--teacher {name}: wanted one model, found {', '.join(model.name for model in models)}")
    return models[0]


def open_library(folder: Path, matrix: Matrix) -> Library:
    """Return the recordings of a folder; what is recorded there holds no key of the matrix."""
    from tunegate.cassettes import Library, Redactor
    from tunegate.session import secrets_in

    return Library(folder, redactor=Redactor(secrets_in(endpoint.key_env for endpoint in matrix.endpoints)))


def _is_plausible(completion_tokens: int | None, text: str) -> bool:
    """Whether the tokens can be those of the text: a model that thinks first is billed for more than it says."""
    if completion_tokens is None:
        return False
    return completion_tokens <= 2 * estimate_tokens(len(text.encode("utf-8", "surrogatepass")))
