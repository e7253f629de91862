"""A few whole records out of many: the others are looked at just far enough to leave them out.

Not imported with the room: a run that shows no single record does not wait for the decoder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from tunegate.errors import RunError
from tunegate.records import Record
from tunegate.runs.folder import read_whole_lines, records_file

Name = tuple[str, str, str]
"""What a record is picked by: eval, case and model."""


class _Named(msgspec.Struct, gc=False):
    eval: str
    case: str
    model: str


_decode = msgspec.json.Decoder(_Named).decode


def read_picked_records(path: Path, wanted: Collection[Name]) -> Iterator[Record]:
    """Yield the records of the run folder `path` with these names, all repeats, in the file's order.

    The last line may be torn where a writer was killed; it is passed over.

    Raises:
        RunError: no such file, or a line that is not a record, named by its number.
    """
    for number, line in read_whole_lines(path):
        try:
            named = _decode(line)
            if (named.eval, named.case, named.model) in wanted:
                yield Record.from_json(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RunError) as problem:
            raise RunError(f"{records_file(path)}, line {number}: not a record: {problem}") from problem
