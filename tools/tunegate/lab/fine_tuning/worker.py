"""The process that trains one job: `python -m tunegate.lab.fine_tuning.worker FOLDER`.

It reads `order.json` in the folder, leaves `state.pt` there after each epoch, says on its standard output what it
has come to, and ends when its standard input does: a server that is killed leaves no training behind.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from tunegate.lab.fine_tuning.order import Failed, Order, Progress, TrainingFailed, encode_progress

INSTALL = "make lab-tuning"
NICENESS = 5
"""Live requests come first where both want the same core."""


SETTINGS = {
    # Nothing here may ask a network, whatever a model's configuration names.
    "HF_HUB_OFFLINE": "1",
    # Threads that wait for each other by spinning take the core from the one they wait for: on two busy cores a step
    # of two threads then took 28 s, and 7 s without.
    "OMP_WAIT_POLICY": "passive",
    # What is left in the log are errors.
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def main(arguments: Sequence[str]) -> int:
    """Train what the folder orders."""
    folder = Path(arguments[0])
    tell = partial(tell_server, open_channel())
    threading.Thread(target=leave_with_the_server, name="lab-server-watch", daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    os.environ.update(SETTINGS)
    warnings.simplefilter("ignore")  # deprecations among the libraries are none of ours
    try:
        import_trainers()
        from tunegate.lab.fine_tuning.training import train_order

        train_order(Order.load(folder), folder=folder, tell=tell)
    except TrainingFailed as failure:
        tell(Failed(failure.code, str(failure), failure.param))
    return 0


def import_trainers() -> None:
    """Load PyTorch and what stands on it, or say what is missing."""
    try:
        import gguf  # noqa: F401  # transformers reads GGUF files with it
        import peft  # noqa: F401
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: a library that torch is linked to is missing
        reason = str(error).splitlines()[0]
        message = f"The lab cannot train without PyTorch, transformers, peft and gguf: {reason}. To install them: "
        raise TrainingFailed(message + INSTALL, code="training_unavailable") from error


def open_channel() -> TextIO:
    """What the server listens to; whatever a library prints goes to the log from now on."""
    channel = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    return channel


def tell_server(channel: TextIO, progress: Progress) -> None:
    """Say one thing to the server."""
    channel.write(encode_progress(progress) + "\n")
    channel.flush()


def leave_with_the_server() -> None:
    """End this process when the server lets go of its standard input, at once and wherever the training is."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
