"""Runs of the latency eval with known truth: first token and pace of each model are given, chance is seeded."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunegate.records import Cell, Record, Reply, State, Usage
from tunegate.runs import RunFolder

PROMPTS = ("rome", "fight", "constitution", "bubble", "transcription")
SIZES = (8, 32, 64, 128, 256)


@dataclass(frozen=True)
class Speed:
    """How quick a model is, and what else its records say."""

    model: str
    first_s: float
    pace_s: float
    role: str = "candidate"
    in_flight: int | None = 1
    day: str = "2026-11-27"
    most_tokens: int = 10_000
    """Where its answers end by themselves."""
    noise: float = 0.03
    load: int = 1
    refuses: tuple[str, ...] = ()
    """Prompts that it refuses, at once."""


BASE = Speed("base", 1.8, 0.036, role="baseline")
QUICK = Speed("ft:quick", 0.5, 0.010)
"""3.6 times as quick as the base, to begin and at each token."""


def records_of(speed: Speed, *, repeats: int = 2, sizes: Sequence[int | None] = SIZES) -> Iterator[Record]:
    """Yield the records of one model; a size of None is an eval that does not sweep."""
    dice = random.Random(speed.model)
    for prompt in PROMPTS:
        for size in sizes:
            for repeat in range(1, repeats + 1):
                count = min(size or 200, speed.most_tokens)
                first_s = speed.first_s * dice.lognormvariate(0, speed.noise)
                pace_s = speed.pace_s * dice.lognormvariate(0, speed.noise)
                pieces_s = tuple(round(first_s + number * pace_s, 6) for number in range(count))
                if prompt in speed.refuses:
                    pieces_s = pieces_s[:1]
                is_cut = len(pieces_s) == size
                state: State = "refused" if prompt in speed.refuses else "truncated" if is_cut else "answered"
                under = f"-x{speed.load}" if speed.load > 1 else ""
                yield Record(
                    Cell(
                        "format" if size is None else "latency",
                        prompt if size is None else f"{prompt}-{size}{under}",
                        f"{size} tokens",
                        speed.model,
                        repeat,
                        0.0,
                        load=None if size is None else speed.load,
                    ),
                    state,
                    messages=[{"role": "user", "content": prompt}],
                    reply=Reply("bubble", "length" if is_cut else "stop", usage=Usage(9, len(pieces_s))),
                    latency_s=pieces_s[-1],
                    first_token_s=pieces_s[0],
                    source="live",
                    recorded_at=f"{speed.day}T10:00:00+00:00",
                    max_tokens=size,
                    pieces_s=() if size is None else pieces_s,
                    in_flight=speed.in_flight,
                )


def write_run(runs: Path, name: str, *speeds: Speed, repeats: int = 2, sizes: Sequence[int | None] = SIZES) -> Path:
    """Write a finished run of these models and return its folder."""
    rows = [{"name": speed.model, "role": speed.role} for speed in {speed.model: speed for speed in speeds}.values()]
    folder = RunFolder.create(runs, name, header={"matrix": rows})
    records = [record for speed in speeds for record in records_of(speed, repeats=repeats, sizes=sizes)]
    for record in records:
        folder.append(record)
    folder.finish(planned=len(records))
    return folder.path
