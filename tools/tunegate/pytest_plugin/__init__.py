"""The door to pytest. Each hook says in a line or three what happens, and calls the room that does it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import pytest

from tunegate.cases import Case
from tunegate.checks import Shape
from tunegate.errors import TunegateError
from tunegate.pytest_plugin.controller import Controller
from tunegate.pytest_plugin.harness import HARNESS, Harness
from tunegate.pytest_plugin.options import add_options
from tunegate.pytest_plugin.outcome import ATTEMPT, annotate, planned_of
from tunegate.records import Check, Reply
from tunegate.session import Attempt, Planned
from tunegate.session.network import network_forbidden


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.stash[HARNESS] = Harness(config)
    if not hasattr(config, "workerinput"):
        try:
            controller = Controller(config, config.stash[HARNESS])
        except TunegateError as error:
            raise pytest.UsageError(str(error)) from error
        config.pluginmanager.register(controller, "tunegate-controller")


def pytest_unconfigure(config: pytest.Config) -> None:
    if HARNESS in config.stash:
        config.stash[HARNESS].close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if not hasattr(metafunc.function, "tunegate_eval"):
        return
    try:
        planned = metafunc.config.stash[HARNESS].plan(metafunc.function)
    except TunegateError as error:
        raise pytest.Collector.CollectError(str(error)) from error
    metafunc.parametrize("tunegate_planned", planned, ids=[cell.id for cell in planned])


def pytest_collection_finish(session: pytest.Session) -> None:
    harness = session.config.stash[HARNESS]
    harness.planned = sum(planned_of(item) is not None for item in session.items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    if planned_of(item) is None or item.config.stash[HARNESS].mode != "none":
        return (yield)
    with network_forbidden():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    annotate(report, item, call)
    return report


@pytest.fixture
def tunegate_attempt(request: pytest.FixtureRequest, tunegate_planned: Planned) -> Attempt:
    """The way of this item from its question to its record."""
    harness = request.config.stash[HARNESS]
    attempt = Attempt(
        tunegate_planned,
        harness.session,
        sources=harness.sources,
        stream=harness.options.stream,
        max_tokens=harness.options.max_tokens,
    )
    request.node.stash[ATTEMPT] = attempt
    return attempt


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
