"""When Ctrl-C is answered."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tunegate.pytest_plugin.interrupts import interrupts_held


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Whoever starts the tests in the background may have them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def end_all_the_same(done: list[str]) -> None:
    with interrupts_held():
        signal.raise_signal(signal.SIGINT)
        done.append("ended")


def test_block_is_done_before_ctrl_c_is_answered() -> None:
    """What was begun is ended, and the interrupt comes behind it."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        end_all_the_same(done)
    assert done == ["ended"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_error_of_the_block_passes() -> None:
    """Without Ctrl-C the block is as if it stood alone."""
    with pytest.raises(ValueError, match="its own"), interrupts_held():
        raise ValueError("its own")


def test_ignored_ctrl_c_stays_ignored() -> None:
    """A run that was told to ignore Ctrl-C ignores it here too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_held():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
