"""One reply for one cell: from its recording where there is one, from the endpoint where that is allowed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from tunegate.cassettes import Library
from tunegate.errors import CassetteError, RecordingMissing, WireError
from tunegate.records import Cell
from tunegate.session.answers import Answer
from tunegate.session.plan import Planned, Prepared, Preparer
from tunegate.wire import read_exchange

if TYPE_CHECKING:
    from tunegate.session.engine import Engine, Slot
    from tunegate.session.live import Live

RecordMode = Literal["none", "missing", "all"]
_ACCOUNT_VARIABLES = ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")


def secrets_in(variables: Iterable[str | None]) -> list[str]:
    """Return the values that must never reach a file: of the given environment variables and of OpenAI's own."""
    names = {*_ACCOUNT_VARIABLES, *filter(None, variables)}
    return [value for name in sorted(names) if (value := os.environ.get(name, "").strip())]


class Session:
    """Answers cells from the library of recordings and, given somebody who asks live, from their endpoints.

    Without `live` there is no engine, so there is nothing that could reach a network. With `mode="all"` recordings
    are made anew, with "missing" only where there is none.
    """

    def __init__(
        self,
        library: Library,
        *,
        prepare: Preparer,
        mode: RecordMode = "none",
        live: Live | None = None,
        in_flight: int = 64,
    ) -> None:
        self.library = library
        self.prepare = prepare
        self._mode = mode
        self._live = live
        self.fresh: set[Cell] = set()
        """Cells that were answered in this run by other ways than `live`: their recordings are no replays."""
        self.problems: dict[Cell, str] = {}
        """Why such ways brought no answer."""
        self._engine = self._make_engine(live, in_flight=in_flight) if live else None

    def expect(self, upcoming: Iterable[Planned]) -> None:
        """Work ahead on cells that this process will ask for, in that order, where endpoints may be asked at all."""
        if self._engine is not None:
            cells = list(upcoming)
            self._look_again(cells)
            self._engine.expect(cells)

    def limit(self, ahead: int) -> None:
        """Ask for no more than `ahead` cells whose items are not done yet."""
        if self._engine is not None:
            self._engine.limit(ahead)

    def ask(self, planned: Planned) -> Answer:
        """Return the answer to a planned cell.

        Raises:
            RecordingMissing: nothing was recorded for it and recording is off.
            WireError: the endpoint gave no usable reply; it is not recorded, so the next recording asks again.
            CassetteError: a recording cannot be read or written.
        """
        if self._engine is not None:
            return self._engine.wait(planned)
        cell = planned.cell
        if cell in self.problems:
            raise WireError(self.library.redactor.text(self.problems[cell]))
        prepared = self.prepare(planned)
        answer = self._recorded(prepared)
        if answer is None:
            cassette = self.library.cassette(cell.shelf, cell.model)
            raise RecordingMissing(cassette.explain(prepared.request, case=cell.case, repeat=cell.repeat))
        return replace(answer, source="live") if cell in self.fresh else answer

    def dismiss(self, planned: Planned) -> None:
        """Let go of a cell whose item is done."""
        if self._engine is not None:
            self._engine.dismiss(planned)

    def stop(self) -> None:
        """Ask nothing more; what came is kept."""
        if self._engine is not None:
            self._engine.stop()

    def close(self) -> None:
        """Stop, and close the connections, if any were opened."""
        if self._engine is not None:
            self._engine.close()

    def _make_engine(self, live: Live, *, in_flight: int) -> Engine:
        # Imported late: a replay has no use for an event loop.
        from tunegate.session.engine import Engine

        return Engine(self._answer, in_flight=in_flight, close=live.close)

    async def _answer(self, planned: Planned, slot: Slot) -> Answer:
        prepared = self.prepare(planned)
        if self._mode == "missing":
            recorded = self._recorded(prepared)
            if recorded is not None:
                return recorded
        assert self._live is not None, "there is an engine"  # noqa: S101  # narrows the type
        return await self._live.answer(prepared, slot)

    def _look_again(self, cells: Sequence[Planned]) -> None:
        """Read what was recorded up to now: several cells at once may be what a worker left that has just died."""
        if self._mode != "missing" or len(cells) < 2:
            return
        for key in {(planned.cell.shelf, planned.cell.model) for planned in cells}:
            # What cannot be read is told by the item that needs it.
            with suppress(CassetteError):
                self.library.cassette(*key).keys()

    def _recorded(self, prepared: Prepared) -> Answer | None:
        cell = prepared.cell
        cassette = self.library.cassette(cell.shelf, cell.model)
        # Another process may have recorded it in the meantime: look again before paying for it.
        found = cassette.find(prepared.request, repeat=cell.repeat, refresh=self._mode == "missing")
        return None if found is None else Answer(prepared, found, read_exchange(found), "cassette")
