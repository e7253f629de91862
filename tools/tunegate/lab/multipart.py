"""Forms with files in them: multipart/form-data (RFC 7578)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message

from tunegate.lab.refusals import Refusal


@dataclass(frozen=True)
class Part:
    """One field of a form."""

    filename: str | None
    """None for a field that is no file."""
    content: memoryview
    """A view into the body: an upload is not copied."""

    @property
    def text(self) -> str:
        """The content of a field that is no file."""
        return bytes(self.content).decode("utf-8", "replace")


def parse_form(content_type: str, body: bytes) -> Mapping[str, Part]:
    """The fields of a form by their names; the last of a name counts.

    Raises:
        Refusal: it is no form, or one that breaks off.
    """
    boundary = parse_header(content_type).get_param("boundary")
    if not content_type.lower().startswith("multipart/form-data") or not isinstance(boundary, str):
        raise Refusal(400, "A file is uploaded as multipart/form-data with a boundary")
    delimiter = b"--" + boundary.encode()
    parts: dict[str, Part] = {}
    start = body.find(delimiter)
    while start >= 0:
        start += len(delimiter)
        if body.startswith(b"--", start):
            return parts
        head_end = body.find(b"\r\n\r\n", start)
        end = body.find(b"\r\n" + delimiter, head_end + 4)
        if head_end < 0 or end < 0:
            break
        disposition = find_disposition(body[start:head_end].decode("utf-8", "replace"))
        name, filename = disposition.get_param("name"), disposition.get_filename()
        parts[str(name)] = Part(filename, memoryview(body)[head_end + 4 : end])
        start = end + 2
    raise Refusal(400, "The form breaks off in the middle")


def parse_header(value: str) -> Message:
    """A header whose parameters can be asked for."""
    message = Message()
    message["Content-Disposition"] = message["Content-Type"] = value
    return message


def find_disposition(head: str) -> Message:
    """What a part's head says about name and file name."""
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            return parse_header(value.strip())
    raise Refusal(400, "A part of the form has no Content-Disposition")
