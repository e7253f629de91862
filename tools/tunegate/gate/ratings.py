"""What people or a judge model said of replies, on a scale from 1 to 5: `ratings.jsonl` beside a run's records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tunegate.errors import RunError
from tunegate.gate.policy import HIGHEST_RATING, LOWEST_RATING

RATINGS = "ratings.jsonl"


class Rating(msgspec.Struct):
    """One rating of one reply. Other fields of a line, such as who gave it, are the rating's own business."""

    eval: str
    case: str
    model: str
    rating: float


_decode = msgspec.json.Decoder(Rating).decode


def read_ratings(folder: Path) -> Iterator[Rating]:
    """Yield the ratings of the run folder `folder`; none where it has no such file.

    Raises:
        RunError: a line is no rating, named by its number.
    """
    file = folder / RATINGS
    if not file.exists():
        return
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                rating = _decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
                raise RunError(
                    f"{file}, line {number}: eval, case, model and rating are wanted: {problem}"
                ) from problem
            if not LOWEST_RATING <= rating.rating <= HIGHEST_RATING:
                raise RunError(
                    f"{file}, line {number}: a rating from {LOWEST_RATING} to {HIGHEST_RATING} is wanted, "
                    f"not {rating.rating:g}"
                )
            yield rating
