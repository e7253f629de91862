"""Lists in pages, with an id as the cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunegate.lab.refusals import Refusal


def page_of(
    rows: Sequence[Mapping[str, object]], query: Mapping[str, str], *, most: int, usual: int
) -> dict[str, object]:
    """The page of `rows` that a query's `after` and `limit` mean.

    Raises:
        Refusal: the limit is none, or nothing has the id in `after`.
    """
    limit = query.get("limit", str(usual))
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= most:
        raise Refusal(400, f"'limit' must be an integer from 1 to {most}", code="invalid_value", param="limit")
    first = 0
    if after := query.get("after"):
        ids = [row["id"] for row in rows]
        if after not in ids:
            raise Refusal(400, f"No object with the id '{after}' to list after", code="invalid_value", param="after")
        first = ids.index(after) + 1
    data = rows[first : first + int(limit)]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": first + int(limit) < len(rows),
    }
