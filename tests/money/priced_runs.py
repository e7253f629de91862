"""Runs with tokens and prices, small enough to be summed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tunegate.records import Cell, Check, Record, Reply, Source, State, Usage
from tunegate.runs import RunFolder

PRICES = """
[[prices]]
model = "small"
input_usd_per_mtok = 1
output_usd_per_mtok = 10
cached_input_usd_per_mtok = 0.5
batch_input_usd_per_mtok = 0.4
batch_output_usd_per_mtok = 4
training_usd_per_mtok = 3
since = 2026-11-01
source = "a list"
[[prices]]
model = "large"
input_usd_per_mtok = 20
output_usd_per_mtok = 100
since = 2026-01-01
source = "an old list"
"""


def make_call(
    case: str,
    *,
    model: str = "small",
    usage: Usage | None = None,
    source: Source | None = "live",
    state: State = "answered",
    checks: Mapping[str, Iterable[bool | None]] | None = None,
    eval_name: str = "format",
    repeat: int = 1,
    max_tokens: int | None = None,
) -> Record:
    """Return the record of a call that took some tokens."""
    has_reply = state in ("answered", "truncated", "refused")
    made = [Check(name, passed) for name, all_ in (checks or {}).items() for passed in all_]
    return Record(
        Cell(eval_name, case, "s", model, repeat),
        state,
        made if has_reply else (),
        reply=Reply("[]", usage=usage if usage is not None else Usage(1000, 100)) if has_reply else None,
        source=source if has_reply else None,
        error=None if has_reply else "no reply",
        max_tokens=max_tokens,
    )


def write_priced(
    root: Path,
    records: Iterable[Record],
    *,
    name: str = "a",
    prices: str = PRICES,
    options: Mapping[str, Any] | None = None,
    rows: Iterable[Mapping[str, Any]] = (),
    planned: int | None = None,
    **facts: Any,
) -> Path:
    """Write a run and the price book beside it; return the run's folder."""
    (root / "fixtures").mkdir(exist_ok=True)
    (root / "fixtures" / "prices.toml").write_text(prices)
    records = list(records)
    models = dict.fromkeys(record.cell.model for record in records)
    more = {row["name"]: row for row in rows}
    matrix = [{"name": m, "model": m, "base_url": "http://127.0.0.1:1/v1", **more.get(m, {})} for m in models]
    folder = RunFolder.create(root / "reports" / "runs", name, header={"matrix": matrix, "options": options or {}})
    for record in records:
        folder.append(record)
    folder.finish(planned=len(records) if planned is None else planned, facts=facts)
    return folder.path
