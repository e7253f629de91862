"""What a process needs to run its items: made when the first of them is collected, and not before."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from tunegate.cases import Eval, Matrix, Model, Sources
from tunegate.cassettes import Library, Redactor
from tunegate.checks import Shape
from tunegate.errors import RecordingMissing, UsageError
from tunegate.pytest_plugin.options import Options, read_options
from tunegate.pytest_plugin.partial import LeftOut, recording_of
from tunegate.records import Cell, shelf_of
from tunegate.session import Planned, Preparer, Session, Watch, choose_models, plan_cells, secrets_in
from tunegate.session.network import network_forbidden

if TYPE_CHECKING:
    from tunegate.pytest_plugin.recording import Recording


class Harness:
    """The options of this process and, made on demand, everything that they describe."""

    def __init__(self, config: pytest.Config) -> None:
        self.options: Options = read_options(config)
        self.only_collects: bool = config.option.collectonly
        self._worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
        self.is_worker = self._worker_input is not None
        self.shard: dict[str, Any] | None = None
        """What the run's header says of this part of a run, in a process that collected it."""
        self.show: Callable[[str], None] = print
        """Shows a line to people while the run goes on."""
        self._owners: dict[str, str] = {}
        self.left_out = LeftOut(config, self)
        self.times = False
        """Whether an item of this process measures time; known when all are collected."""
        self.explained = Counter[str]()
        """Missing recordings told so far, by model."""
        self._planned_by_eval: dict[str, int] = {}
        self.planned = 0
        """Items that this process collected and kept after every selection."""
        self.watch: Watch | None = None
        """Says which cells matter under `--until-decided`, in the process that sees every report."""
        self.wants: Callable[[Cell], bool] = _wants_all
        """Tells whether this process is still to ask a cell."""

    @property
    def records(self) -> bool:
        """Whether endpoints may be asked."""
        return self.options.record != "none"

    @property
    def order_seed(self) -> int:
        """Seed of the order in which cases are asked until everything is decided."""
        if not self.options.gate:
            return self.options.seed
        from tunegate.gate.policy_file import load_policy

        return load_policy(self.options.policy, fixtures=self.options.fixtures).seed

    @property
    def in_flight(self) -> int:
        """How many requests of the run may be in flight, at all endpoints together."""
        limits = {model.endpoint.name: model.endpoint.limits.max_connections for model in self.models}
        most = self.options.max_connections
        return sum(min(limit or most, most) for limit in limits.values())

    @cached_property
    def sources(self) -> Sources:
        options = self.options
        return Sources(
            fixtures=options.fixtures,
            questions=options.questions or options.fixtures / "questions",
            limit=options.limit,
            seed=options.seed,
            subjects=options.subjects,
            shots=options.shots,
            max_tokens=options.max_tokens,
            in_flight=options.in_flight,
            download=self.records,
        )

    @cached_property
    def matrix(self) -> Matrix:
        return Matrix.load(self.options.fixtures / "models.toml")

    @cached_property
    def library(self) -> Library:
        return Library(self.options.cassettes, redactor=self.redactor)

    @cached_property
    def redactor(self) -> Redactor:
        """Knows every key that this run may send."""
        variables = [endpoint.key_env for endpoint in self.matrix.endpoints]
        return Redactor(secrets_in([*variables, self.options.key_env]))

    @cached_property
    def models(self) -> list[Model]:
        return choose_models(
            self.matrix,
            self.options.models,
            library=self.library,
            recording=self.records or self.options.dry_run,
            base_url=self.options.base_url,
            key_env=self.options.key_env,
        )

    @cached_property
    def prepare(self) -> Preparer:
        return Preparer(self.sources, stream=self.options.stream, max_tokens=max(self.options.max_tokens, default=None))

    @cached_property
    def recording(self) -> Recording:
        """What it takes to ask endpoints; to be looked at only where they may be asked."""
        from tunegate.pytest_plugin.recording import Recording

        return Recording(self, worker_input=self._worker_input, show=self.show)

    @cached_property
    def session(self) -> Session:
        if self.records and self.options.via == "live":
            return self.recording.open_session()
        return Session(self.library, prepare=self.prepare)

    @cached_property
    def schema(self) -> Callable[[str], Shape]:
        """Return a function that compiles the schema of a name once."""
        return lru_cache(maxsize=None)(lambda name: Shape(self.sources.schema(name)))

    def plan(self, eval_: Eval, *, test: str) -> list[Planned]:
        """Return the planned cells of an eval, which the function `test` (a node id) asks.

        Raises:
            TunegateError: the eval cannot be asked, its name is taken, or a model has no recording at all.
        """
        owner = self._owners.setdefault(eval_.name, test)
        if owner != test:
            raise UsageError(f"two evals are called '{eval_.name}', {owner} and {test}: they would share recordings")
        if len(self.options.max_tokens) > 1 and not eval_.sweeps:
            told = ",".join(map(str, self.options.max_tokens))
            raise UsageError(
                f"the eval '{eval_.name}' cuts all replies at one limit, and --max-tokens {told} names several\n"
                "  name one: --max-tokens N, or only the files of evals that sweep"
            )
        with self.network():
            planned = plan_cells(
                eval_,
                self.sources,
                models=self.left_out.rows_of(eval_, test=test),
                repeats=self.options.repeat,
                temperature=self.options.temperature,
            )
        self._planned_by_eval[eval_.name] = len(planned)
        # A gate wants a verdict of what is not there, too: it is INCONCLUSIVE.
        if not (self.may_go_without or self.options.gate) and eval_.name not in self.left_out.told:
            self._refuse_unrecorded(eval_, test=test)
        return planned

    @property
    def may_go_without(self) -> bool:
        """Whether what is not recorded is no obstacle: it is asked, or nothing is run."""
        return self.records or self.only_collects or self.options.dry_run

    @property
    def whole(self) -> int:
        """Cells of all evals that were collected, before any selection among their items."""
        return sum(self._planned_by_eval.values())

    def _refuse_unrecorded(self, eval_: Eval, *, test: str) -> None:
        """Say once for each model what each of its items would say.

        Raises:
            RecordingMissing: nothing is recorded of a model in this eval.
        """
        bare = [model.name for model in self.models if not self.has_recordings(eval_, model)]
        if not bare:
            return
        recorded = [model.name for model in self.models if model.name not in bare]
        lines = [
            f"nothing is recorded of {', '.join(bare)} in the eval '{eval_.name}', and recording is off",
            f"  to record: {recording_of(bare, test=test)}",
        ]
        if recorded:
            lines.append(f"  to replay what there is: {shlex.join(['pytest', *_named(recorded)])}")
        raise RecordingMissing("\n".join(lines))

    def has_recordings(self, eval_: Eval, model: Model) -> bool:
        """Say whether anything is recorded of a model in an eval, under a load that is asked for."""
        loads = self.sources.loads(1) if eval_.load is not None else (None,)
        shelves = (shelf_of(eval_.name, load=load) for load in loads)
        return any(self.library.cassette(shelf, model.name).exists() for shelf in shelves)

    def network(self) -> AbstractContextManager[None]:
        """Return the block in which code that knows an eval runs: without `--record` nothing leaves it."""
        return nullcontext() if self.records else network_forbidden()

    def check(self) -> None:
        """Look early at what the command line named, so that a typing error costs nothing.

        Raises:
            TunegateError: a model, a place of questions or a subject that does not exist.
        """
        if self.options.models:
            _ = self.models
        if self.options.questions or self.options.subjects:
            self.sources.batches()

    def close(self) -> None:
        """Stop asking, write down what came, and close the connections, if there are any."""
        made = self.__dict__
        if "session" in made:
            self.session.close()
        if "recording" in made:
            self.recording.close()


def _wants_all(_: Cell) -> bool:
    return True


def _named(models: Sequence[str]) -> list[str]:
    return [word for model in models for word in ("--model", model)]


HARNESS = pytest.StashKey[Harness]()
