"""Cassettes that stock vcrpy wrote: another layout, YAML, compressed bodies, no notes.

vcrpy itself is imported for YAML only: it takes a fifth of a second.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from tunegate.errors import CassetteError


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML cassette, read with vcrpy's own safe loader.

    Raises:
        ValueError: the text is not YAML, or holds Python objects.
    """
    yaml = importlib.import_module("yaml")
    serializer = importlib.import_module("vcr.serializers.yamlserializer")
    try:
        return serializer.deserialize(text)
    except yaml.YAMLError as problem:
        raise ValueError(str(problem).replace("\n", " ")) from problem


def body_bytes(response: Mapping[str, Any]) -> bytes:
    """Return the body of a written response as bytes, still compressed where it is."""
    body = response["body"]["string"] if "body" in response else response.get("content")
    if isinstance(body, str):
        # vcrpy leaves a string with lone surrogates as it is, and then fails to replay it.
        return body.encode("utf-8", "surrogatepass")
    return bytes(body or b"")


def decompress(body: bytes, *, headers: Mapping[str, Iterable[str]]) -> bytes:
    """Undo gzip or deflate as vcrpy's `decode_response` does; another body is returned as it is.

    Raises:
        CassetteError: another compression was used and the body is no text.
    """
    named = [next(iter(values), "") for name, values in headers.items() if name.lower() == "content-encoding"]
    encoding = named[0].strip().lower() if named else ""
    windows = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
    if encoding in windows:
        try:
            return zlib.decompress(body, windows[encoding])
        except zlib.error:
            # Somebody decoded it before and left the header.
            return body
    if encoding not in ("", "identity"):
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as problem:
            raise CassetteError(
                f"a body is compressed with {encoding!r}, which is not decoded here; "
                "record it with decode_compressed_response=True"
            ) from problem
    return body
