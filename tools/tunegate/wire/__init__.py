"""The API and our manners to it: requests out, complete exchanges back, and how to read them."""

from tunegate.wire.chat import chat_request
from tunegate.wire.connection import Connection
from tunegate.wire.reading import Reading, read_exchange

__all__ = ["Connection", "Reading", "chat_request", "read_exchange"]
