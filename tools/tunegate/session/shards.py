"""Parts of one run that several machines share: which cases are whose, and what tells that parts belong together."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tunegate.errors import UsageError
from tunegate.records import Cell

_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


@dataclass(frozen=True)
class Shard:
    """The part `number`, counted from 1, of a run in `of` parts.

    Raises:
        UsageError: there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise UsageError(_explain(str(self)))

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `3/8`.

        Raises:
            UsageError: `text` is not NUMBER/OF with 1 <= NUMBER <= OF.
        """
        match = _SHARD.fullmatch(text)
        if match is None:
            raise UsageError(_explain(text))
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def holds(self, eval_name: str, case_id: str) -> bool:
        """Tell whether a case belongs to this shard, with all of its models and repeats.

        Only the two names decide, so a case stays where it is when cases, models or repeats are added, and every
        machine decides alike. Shards are therefore of about the same size, not of exactly the same.
        """
        name = f"{eval_name}\0{case_id}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.sha256(name).digest(), "big") % self.of == self.number - 1


def plan_digest(cells: Iterable[Cell]) -> str:
    """Return the SHA-256 (hex) of all cells of a plan, in whatever order: shards of one plan name the same."""
    encode = json.JSONEncoder(separators=(",", ":")).encode
    lines = sorted(
        encode((cell.eval, cell.case, cell.subject, cell.model, cell.repeat, cell.temperature, cell.shots))
        for cell in cells
    )
    return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()


def _explain(text: str) -> str:
    return f"a shard is NUMBER/OF with 1 <= NUMBER <= OF, as in 3/8, not {text!r}"
