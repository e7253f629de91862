"""The door to pytest. Each hook says in a line or three what happens, and calls the room that does it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence

import pytest

from tunegate.cases import Case, eval_of
from tunegate.checks import Shape
from tunegate.errors import TunegateError
from tunegate.pytest_plugin import hookspecs
from tunegate.pytest_plugin.asker import register_asker
from tunegate.pytest_plugin.controller import Controller
from tunegate.pytest_plugin.harness import HARNESS, Harness
from tunegate.pytest_plugin.neighbours import leave_quickly, spare_hypothesis
from tunegate.pytest_plugin.options import add_options, stay_in_one_process
from tunegate.pytest_plugin.outcome import ATTEMPT, guard_of, make_report, planned_of, refuse_twins
from tunegate.pytest_plugin.partial import has_no_rows
from tunegate.pytest_plugin.saved_benchmarks import hold_comparison
from tunegate.pytest_plugin.sharding import keep_shard, tell_controller
from tunegate.pytest_plugin.stopping import register_stopping
from tunegate.pytest_plugin.timing import register_timing
from tunegate.records import Check, Reply
from tunegate.session import Attempt, Planned


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    stay_in_one_process(config)
    hold_comparison(config)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    harness = config.stash[HARNESS] = Harness(config)
    if not harness.is_worker:
        try:
            controller = Controller(config, harness)
        except TunegateError as error:
            raise pytest.UsageError(str(error)) from error
        config.pluginmanager.register(controller, "tunegate-controller")
    register_asker(config, harness)
    register_stopping(config, harness)
    register_timing(config, harness)
    leave_quickly()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    tell_controller(session.config)
    session.config.stash[HARNESS].left_out.tell_controller(session.config)
    if session.config.stash[HARNESS].is_worker and all(planned_of(item) for item in session.items):
        spare_hypothesis(session.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    if HARNESS in config.stash:
        config.stash[HARNESS].close()


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> list[pytest.Item] | None:
    return [] if has_no_rows(collector, name, obj, collector.config.stash[HARNESS]) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    eval_ = eval_of(metafunc.function)
    if eval_ is None:
        return
    try:
        planned = metafunc.config.stash[HARNESS].plan(eval_, test=metafunc.definition.nodeid)
    except TunegateError as error:
        raise pytest.Collector.CollectError(str(error)) from error
    metafunc.parametrize("tunegate_planned", planned, ids=[cell.id for cell in planned])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    harness = config.stash[HARNESS]
    if harness.options.shard is not None:
        harness.shard = keep_shard(config, items, harness.options.shard)


def pytest_collection_finish(session: pytest.Session) -> None:
    planned = [cell.cell for item in session.items if (cell := planned_of(item)) is not None]
    session.config.stash[HARNESS].planned = len(planned)
    refuse_twins(planned)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with guard_of(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with guard_of(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    with guard_of(item):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport | None:
    return make_report(item, call) if planned_of(item) is not None else None


@pytest.fixture
def tunegate_attempt(request: pytest.FixtureRequest, tunegate_planned: Planned) -> Iterator[Attempt]:
    """The way of this item from its question to its record."""
    harness = request.config.stash[HARNESS]
    attempt = Attempt(tunegate_planned, harness.session)
    request.node.stash[ATTEMPT] = attempt
    yield attempt
    # An item lives as long as the session; its reply need not.
    del request.node.stash[ATTEMPT]


@pytest.fixture
def case(tunegate_planned: Planned) -> Case:
    """The case that this item asks."""
    return tunegate_planned.case


@pytest.fixture
def ask(tunegate_attempt: Attempt) -> Callable[[], Reply]:
    """Ask this item's model what the eval's prompt says; returns the reply, recorded or live."""
    return tunegate_attempt.ask


@pytest.fixture
def score(tunegate_attempt: Attempt) -> Callable[[Sequence[Check]], None]:
    """Keep the checks on the run's record, then show all that the reply missed at once."""
    return tunegate_attempt.score


@pytest.fixture
def schema(request: pytest.FixtureRequest) -> Callable[[str], Shape]:
    """Compile `fixtures/schemas/<name>.json`, once in a process."""
    return request.config.stash[HARNESS].schema
