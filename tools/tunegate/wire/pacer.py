"""The thread that lets time pass for what waits, so that nobody polls."""

from __future__ import annotations

import threading

from tunegate.wire.admission import Admission


class Pacer:
    """Pumps an admission whenever time alone may let something go; its thread starts with the first that has to wait.

    Whoever is decided by it is decided on its thread.
    """

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._condition = threading.Condition()
        self._is_nudged = False
        self._is_closed = False
        self._thread: threading.Thread | None = None
        admission.watch(self.nudge)

    def nudge(self) -> None:
        """Look again: something may be due earlier than was known."""
        with self._condition:
            if self._is_closed:
                return
            self._is_nudged = True
            self._condition.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tunegate-pacer", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread; what still waits then is decided only by what others do."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        try:
            self._keep_pumping()
        finally:
            with self._condition:
                self._thread = None  # a thread that broke is replaced at the next nudge: a run must not hang for it

    def _keep_pumping(self) -> None:
        while True:
            wait_s = self._admission.pump()
            with self._condition:
                if not self._is_nudged and not self._is_closed:
                    self._condition.wait(None if wait_s is None else min(wait_s, threading.TIMEOUT_MAX))
                if self._is_closed:
                    return
                self._is_nudged = False
