"""Everything tunegate raises on purpose.

    TunegateError           a person can act on the message: what was wanted, what was there, what to do
    +-- UsageError          the command asks for something that does not exist or does not fit together
    |   +-- NetworkRefused      something tried to reach the network although recording is off
    +-- CaseFileError       a file under fixtures/ (questions, scenarios, schemas, prices) cannot be used
    +-- MatrixError         models.toml, or a model name that matches nothing in it
    +-- CassetteError       a recording cannot be read or written
    |   +-- RecordingMissing    nothing was recorded for this request, and recording is off
    +-- RunError            a run folder or a record that cannot be read or written
    +-- WireError           the endpoint gave no usable reply: ours or the server's fault, never the model's
    +-- LabError            the model server on this machine

A model that answers wrongly raises none of these: a wrong answer is a measurement.
"""

from __future__ import annotations


class TunegateError(Exception):
    """Root of the tree; its text is shown to people as it is, without a traceback."""


class UsageError(TunegateError):
    """The command asks for something that does not exist or does not fit together."""


class NetworkRefused(UsageError):
    """Something tried to reach the network although recording is off."""


class CaseFileError(TunegateError):
    """A case file cannot be used as it stands."""


class MatrixError(TunegateError):
    """The model matrix is malformed, or a name matches nothing in it."""


class CassetteError(TunegateError):
    """A recording cannot be read or written."""


class RecordingMissing(CassetteError):
    """Nothing was recorded for a request, and recording is off."""


class RunError(TunegateError):
    """A run folder or a record cannot be read or written."""


class WireError(TunegateError):
    """The endpoint gave no usable reply.

    `status` is the HTTP status where there was one, `None` for a connection that failed before.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class LabError(TunegateError):
    """The model server on this machine cannot do what was asked."""
