"""One call of `tunegate finetune`: what it reads, what it announces, what it drives, what it says in the end."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tunegate.cases import Matrix, Model, PriceBook
from tunegate.cases.names import list_names, show_path
from tunegate.cli.finetune import FROM_SET
from tunegate.cli.training_files import TrainingSet, as_name, read_file, read_set
from tunegate.distill import training_price, training_usd
from tunegate.errors import TunegateError, UsageError
from tunegate.finetune import (
    Driver,
    Hyperparameters,
    Kept,
    TrainingFile,
    TrainingFolder,
    Wanted,
    judge_trainings,
    make_rows,
    plan_trainings,
)

if TYPE_CHECKING:
    from tunegate.stats import Convergence
    from tunegate.wire.fine_tuning import FineTuningClient

FIXTURES = Path("fixtures")
MATRIX = FIXTURES / "models.toml"
FINETUNES = Path("reports") / "finetunes"


@dataclass(frozen=True)
class _Cost:
    """What trainings may cost."""

    about_usd: float
    """From an estimate of their tokens, unless somebody has counted them."""
    most_usd: float
    """From a number of tokens that they cannot exceed."""


class Finetuning:
    """What one call of the command does; what it reads is read when it is first needed."""

    def __init__(self, given: argparse.Namespace, *, say: Callable[[str], None]) -> None:
        self._given = given
        self._say = say

    def announce(self) -> None:
        """Say what will be trained and what that may cost.

        Raises:
            UsageError: what is wanted does not exist, or may cost more than it is allowed to.
        """
        from tunegate.cost import dollars

        recipe = ", ".join(f"{name} {value:g}" for name, value in self._hyperparameters.sent.items())
        self._say(
            f"plan: {len(self.wanted)} trainings of {self._base.name} at {self._base.endpoint.base_url}, "
            f"{recipe or 'all hyperparameters left to the endpoint'}"
        )
        for one in self.wanted:
            has_job = "" if one in self._unpaid else "; it has its job"
            self._say(f"  {one.label}: {one.file.path.name}, seed {one.seed}{has_job}")
        cost = self._cost
        self._say(f"{self._name_unpaid()} may cost: {self._tell(cost)}")
        cap = self._given.max_cost
        if cap is None or self._given.cancel:
            return
        if cost is None:
            raise UsageError(
                f"--max-cost {cap:g} cannot be held: epochs, or the price of training {self._base.name}, are unknown\n"
                f"  to say a price: training_usd_per_mtok in {FIXTURES / 'prices.toml'}; to say epochs: --epochs"
            )
        if cost.most_usd > cap:
            raise UsageError(
                f"these trainings may cost {dollars(cost.most_usd)}, more than --max-cost {cap:g}: train fewer\n"
                f"  about {dollars(cost.about_usd)} is likely, but a budget rests on what they cannot exceed"
            )

    def train(self) -> int:
        """Drive the jobs, write the rows, say what came of them; status 1 where one failed or did not converge."""
        from tunegate.cli.training_screen import TrainingScreen

        screen = TrainingScreen(self._say)
        with self._folder.locked():
            try:
                trained = self._drive(
                    lambda driver: driver.train(self.wanted, again=self._given.again), show=screen.show, say=screen.say
                )
            except BaseException as stopped:
                screen.end()
                if isinstance(stopped, KeyboardInterrupt):
                    self._say(
                        "left: jobs that exist go on; the same command waits for them, with --cancel it ends them"
                    )
                # Whatever stopped us: a model that is there is listed, and no trouble with that hides what it was.
                for problem in self._list_models()[1]:
                    self._say(str(problem))
                raise
            screen.end()
            judged, problems = self._list_models()
        if problems:
            raise problems[0]
        return self._conclude(trained, judged)

    def cancel(self) -> int:
        """End the jobs that are not over."""
        with self._folder.locked():
            for kept in self._drive(lambda driver: driver.cancel(self.wanted)):
                self._say(f"{kept.label}: {'no job' if kept.job is None else f'{kept.job} is {kept.status}'}")
        return 0

    @cached_property
    def wanted(self) -> list[Wanted]:
        """The trainings, the smallest first."""
        given = self._given
        files = self._set.files
        if given.sizes is not None:
            missing = [size for size in given.sizes if size not in files]
            if missing:
                raise UsageError(
                    f"{show_path(given.set)} has no file of {', '.join(map(str, missing))} examples\n"
                    f"  there are: {', '.join(map(str, sorted(files)))}"
                )
            files = {size: files[size] for size in given.sizes}
        repeated = self._set.repetitions
        return plan_trainings(
            self._base,
            [replace(file, repetitions=repeated.get(size, 1)) for size, file in files.items()],
            validation=self._validation,
            hyperparameters=self._hyperparameters,
            seeds=given.seeds,
            suffix=given.suffix,
            own_seeds=given.own_seeds,
        )

    @cached_property
    def _matrix(self) -> Matrix:
        return Matrix.load(MATRIX)

    @cached_property
    def _base(self) -> Model:
        rows = {model.name: model for model in self._matrix.models}
        name = self._given.model
        if name not in rows:
            raise UsageError(f"no row {name!r} in {MATRIX} to train\n  there are: {list_names(name, tuple(rows))}")
        return rows[name]

    @cached_property
    def _set(self) -> TrainingSet:
        return read_set(self._given.set)

    @property
    def _validation(self) -> TrainingFile | None:
        if self._given.no_validation:
            return None
        return read_file(self._given.validation) if self._given.validation is not None else self._set.validation

    @cached_property
    def _hyperparameters(self) -> Hyperparameters:
        given = self._given
        epochs = self._set.epochs if given.epochs == FROM_SET else given.epochs
        return Hyperparameters(epochs, given.batch_size, given.learning_rate)

    @cached_property
    def _folder(self) -> TrainingFolder:
        name = f"{as_name(self._given.set.resolve().name)}-{as_name(self._base.name)}"
        return TrainingFolder(self._given.output or FINETUNES / name)

    @cached_property
    def _unpaid(self) -> list[Wanted]:
        """Those whose job does not exist yet, as far as is known here, or is to be created anew."""
        there = {kept.key: kept for kept in self._kept_here(self._folder.load()) if kept.job is not None}
        return [
            one for one in self.wanted if one.key not in there or (self._given.again and there[one.key].is_fruitless)
        ]

    @cached_property
    def _cost(self) -> _Cost | None:
        """What those may cost; None where nobody knows."""
        if not self._unpaid:
            return _Cost(0.0, 0.0)
        epochs = self._hyperparameters.epochs
        if epochs is None:
            return None
        price = training_price(PriceBook.load(FIXTURES / "prices.toml"), self._base)
        about = [self._set.tokens[one.file.examples] for one in self._unpaid]
        # What somebody has counted is no less than it is.
        most = [max(one.file.most_tokens, tokens) for one, tokens in zip(self._unpaid, about, strict=True)]
        about_usd = training_usd(price, tokens=sum(about), epochs=epochs)
        most_usd = training_usd(price, tokens=sum(most), epochs=epochs)
        return None if about_usd is None or most_usd is None else _Cost(about_usd, most_usd)

    def _name_unpaid(self) -> str:
        new = len(self._unpaid)
        return "all of them" if new == len(self.wanted) else f"the {new} of them that have no job yet"

    def _tell(self, cost: _Cost | None) -> str:
        from tunegate.cost import dollars

        if cost is None:
            return "unknown" + (": the endpoint chooses the epochs" if self._hyperparameters.epochs is None else "")
        return f"about {dollars(cost.about_usd)} by an estimate, {dollars(cost.most_usd)} at most"

    def _kept_here(self, there: Iterable[Kept]) -> list[Kept]:
        """Return what is kept of this endpoint: another one's trainings may have the same keys."""
        return [kept for kept in there if kept.base_url == self._base.endpoint.base_url]

    def _drive(
        self,
        work: Callable[[Driver], Awaitable[list[Kept]]],
        *,
        show: Callable[[Sequence[Kept]], None] = lambda _: None,
        say: Callable[[str], None] | None = None,
    ) -> list[Kept]:
        async def run() -> list[Kept]:
            client = self._connect()
            try:
                return await work(Driver(client, self._folder, show=show, say=say or self._say))
            finally:
                await client.aclose()

        return asyncio.run(run())

    def _connect(self) -> FineTuningClient:
        from tunegate.session.live import key_of
        from tunegate.wire.fine_tuning import FineTuningClient

        endpoint = self._base.endpoint
        return FineTuningClient(endpoint.base_url, api_key=key_of(endpoint), timeout_s=endpoint.limits.timeout_s)

    def _list_models(self) -> tuple[dict[str, Convergence], list[TunegateError]]:
        """Write the rows that can be written; return what the losses say, and what could not be read or written."""
        readable, unread = self._folder.load_readable()
        there = self._kept_here(readable)
        judged = judge_trainings(there)
        problems: list[TunegateError] = [*unread]
        if self._given.no_rows:
            return judged, problems
        mine = {one.key for one in self.wanted}
        # Another replicate may have changed what is said of its sisters, which are judged beside it.
        groups = dict.fromkeys(kept.all_but_seed for kept in there if kept.key in mine)
        for group in groups:
            try:
                self._write_rows([kept for kept in there if kept.all_but_seed == group], judged)
            except TunegateError as problem:
                problems.append(problem)
        return judged, problems

    def _write_rows(self, trainings: Sequence[Kept], judged: Mapping[str, Convergence]) -> None:
        from tunegate.cases.marking import add_rows

        # Read again: a person may have edited it while the trainings went on.
        edited = add_rows(MATRIX, make_rows(trainings, convergences=judged, matrix=Matrix.load(MATRIX)))
        if edited.added:
            self._say(f"added to {MATRIX}: {', '.join(edited.added)}")
        if edited.changed:
            self._say(f"changed in {MATRIX}: what is said of the training of {', '.join(edited.changed)}")

    def _conclude(self, trained: Sequence[Kept], judged: Mapping[str, Convergence]) -> int:
        width = max(len(kept.label) for kept in trained)
        for kept in trained:
            convergence = judged.get(kept.key)
            if convergence is None or kept.fine_tuned_model is None:
                why = f": {kept.failure}" if kept.failure else ""
                self._say(f"{kept.label:{width}}  {kept.status}, and there is no model{why}")
                continue
            self._say(f"{kept.label:{width}}  {kept.fine_tuned_model}  {_losses(convergence)}  {_word(convergence)}")
            if not convergence.converged:
                self._say(f"{'':{width}}  {convergence.reason}; its calls in an eval are likely wasted")
        self._say(f"kept in {show_path(self._folder.path)}")
        if any(kept.is_fruitless for kept in trained):
            self._say("to create those jobs anew: the same command with --again")
        is_fine = all(kept.fine_tuned_model and judged[kept.key].converged for kept in trained if kept.key in judged)
        return 0 if is_fine and all(kept.key in judged for kept in trained) else 1


def _losses(convergence: Convergence) -> str:
    first, final = convergence.first_loss, convergence.final_loss
    return "loss unknown" if first is None or final is None else f"loss {first:.3g} -> {final:.3g}"


def _word(convergence: Convergence) -> str:
    if not convergence.converged:
        return "NOT CONVERGED"
    # Nothing speaks against it is less than that something speaks for it.
    return "converged" if convergence.fell is True else f"not judged: {convergence.fell}"
