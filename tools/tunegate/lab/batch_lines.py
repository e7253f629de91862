"""The lines of a batch: what each must look like, and what is written about it."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunegate.lab.refusals import Refusal

MOST_LINES = 50_000
MOST_FAULTS = 100
"""A file that is wrong in every line is described well enough by its first hundred."""


@dataclass(frozen=True)
class Fault:
    """Why a batch is not run; lines are counted from 1."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


@dataclass(frozen=True)
class Line:
    """One request of a batch."""

    custom_id: str
    body: dict[str, Any]


@dataclass
class Inspection:
    """What is known of an input file after it was read once."""

    total: int = 0
    model: str | None = None
    faults: list[Fault] = field(default_factory=list)


def inspect_lines(path: Path, *, endpoint: str, check_model: Callable[[str], object]) -> Inspection:
    """Read an input file from end to end; `check_model` refuses the names that are not served."""
    found = Inspection()
    seen: set[str] = set()
    for number, text in read_texts(path):
        found.total += 1
        if found.total > MOST_LINES:
            message = f"The file has more than {MOST_LINES} requests"
            found.faults = [Fault("too_many_tasks", message, number)]
            return found
        if len(found.faults) >= MOST_FAULTS:
            continue
        faults = _find_faults(text, number, endpoint=endpoint, seen=seen, found=found, check_model=check_model)
        found.faults.extend(itertools.islice(faults, 1))
    if found.total == 0:
        found.faults.append(Fault("empty_file", "The file has no requests"))
    return found


def _find_faults(
    text: bytes,
    number: int,
    *,
    endpoint: str,
    seen: set[str],
    found: Inspection,
    check_model: Callable[[str], object],
) -> Iterator[Fault]:
    """What is wrong with a line; what is asked for after the first has no meaning."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield Fault("invalid_json_line", "This line is not parseable as valid JSON.", number)
        return
    if not isinstance(value, dict):
        yield Fault("invalid_json_line", "This line is JSON, but no object.", number)
        return
    id_, method, url, body = (value.get(name) for name in ("custom_id", "method", "url", "body"))
    if not isinstance(id_, str) or not id_:
        yield Fault("missing_required_parameter", "'custom_id' must be a text.", number, "custom_id")
    if id_ in seen:
        yield Fault("duplicate_custom_id", f"The custom_id '{id_}' stands on an earlier line too.", number, "custom_id")
    seen.add(str(id_))
    if method != "POST":
        yield Fault("invalid_method", f"'method' must be POST, got {method!r}.", number, "method")
    if url != endpoint:
        yield Fault("url_mismatch", f"'url' must be the batch's endpoint, {endpoint}, got {url!r}.", number, "url")
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        yield Fault("missing_required_parameter", "'body' must be an object with a model.", number, "body.model")
        return
    if body.get("stream"):
        yield Fault("invalid_value", "A batch has no streams: leave out 'stream'.", number, "body.stream")
    try:
        check_model(body["model"])
    except Refusal as refusal:
        yield Fault(refusal.code or "model_not_found", str(refusal), number, "body.model")
    found.model = found.model or body["model"]
    if body["model"] != found.model:
        message = f"All requests of a batch must have one model: '{found.model}' stands on an earlier line."
        yield Fault("model_mismatch", message, number, "body.model")


def read_texts(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, without the empty ones."""
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if text.strip():
                yield number, text


def read_line(text: bytes) -> Line:
    """A line that was inspected."""
    value = json.loads(text)
    return Line(value["custom_id"], value["body"])


def render_answer(line: Line, *, status: int, body: dict[str, object]) -> bytes:
    """A line of the output: the request was answered, be it with an error."""
    response = {"status_code": status, "request_id": f"req_{secrets.token_hex(16)}", "body": body}
    return _render(line.custom_id, response=response, error=None)


def render_failure(custom_id: str, *, code: str, message: str) -> bytes:
    """A line of the output: the request was not answered at all."""
    return _render(custom_id, response=None, error={"code": code, "message": message})


def _render(custom_id: str, *, response: object, error: object) -> bytes:
    value = {"id": f"batch_req_{secrets.token_hex(12)}", "custom_id": custom_id, "response": response, "error": error}
    return json.dumps(value).encode() + b"\n"
