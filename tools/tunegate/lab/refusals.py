"""Errors in the shape of OpenAI's API, so that a client raises what it would raise there."""

from __future__ import annotations

from http import HTTPStatus

from tunegate.errors import LabError


class Refusal(LabError):
    """A request that gets an error for an answer."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param

    @property
    def body(self) -> dict[str, object]:
        """What the client reads."""
        kind = "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def refuse_model(name: str) -> Refusal:
    """For a name that the lab does not serve: llama.cpp alone would answer any name with 200."""
    return Refusal(404, f"The model `{name}` does not exist in this lab", code="model_not_found", param="model")


def refuse_upstream(reason: str) -> Refusal:
    """For an engine that failed or fell silent."""
    return Refusal(502, f"The engine behind the lab failed: {reason}", code="upstream_failed")
