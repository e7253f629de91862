"""Requests that are to be answered in batches, and how they are divided into files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tunegate.cases import Endpoint
from tunegate.errors import UsageError
from tunegate.exchanges import Request
from tunegate.wire.batches import render_line

LONGEST_KEY = 64
PATH = "/chat/completions"


@dataclass(frozen=True)
class Wanted:
    """A request to be answered in a batch."""

    key: str
    """Names it among all that are wanted; at most 64 characters."""
    request: Request
    endpoint: Endpoint
    model: str
    """The name the endpoint knows."""


def check_wanted(wanted: Iterable[Wanted]) -> None:
    """Look whether all of `wanted` can be asked in batches, and told apart in the replies.

    Raises:
        UsageError: a key cannot be one or stands twice, or a request goes elsewhere than its endpoint and model say.
    """
    keys: set[str] = set()
    for item in wanted:
        if not 1 <= len(item.key) <= LONGEST_KEY:
            raise UsageError(f"a request in a batch needs a key of 1 to {LONGEST_KEY} characters, got {item.key!r}")
        if item.key in keys:
            raise UsageError(f"two requests of a batch have the key {item.key!r}: their replies would be taken for one")
        keys.add(item.key)
        meant, asked = item.endpoint.base_url + PATH, item.request.body.get("model")
        if item.request.url != meant or asked != item.model:
            raise UsageError(
                f"the request {item.key!r} asks {asked!r} at {item.request.url}, "
                f"and was to ask {item.model!r} at {meant}: a batch knows chat completions of one model only"
            )


def group_wanted(wanted: Iterable[Wanted]) -> list[dict[str, Wanted]]:
    """Return `wanted` by endpoint and model, each group by key in the order given: a batch has one model."""
    groups: defaultdict[tuple[Endpoint, str], dict[str, Wanted]] = defaultdict(dict)
    for item in wanted:
        groups[item.endpoint, item.model][item.key] = item
    return list(groups.values())


def split_group(group: Mapping[str, Wanted], *, most_lines: int, largest_bytes: int) -> Iterator[dict[str, Wanted]]:
    """Yield the parts of a group that go into one file each. A request larger than a file has one for itself."""
    part: dict[str, Wanted] = {}
    size = 0
    for key, item in group.items():
        line_size = len(render_line(key, item.request.body))
        if part and (len(part) >= most_lines or size + line_size > largest_bytes):
            yield part
            part, size = {}, 0
        part[key] = item
        size += line_size
    if part:
        yield part


def render_group(group: Mapping[str, Wanted]) -> bytes:
    """Return the file that asks for a group."""
    return b"".join(render_line(key, item.request.body) for key, item in group.items())
