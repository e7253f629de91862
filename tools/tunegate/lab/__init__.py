"""A real model on this machine behind an OpenAI-compatible API: `tunegate lab serve`.

The lab is a rehearsal. Its models are tiny (135 to 270 million parameters), so what they answer says nothing
about the models a team would buy. That they really answer, token by token and the same bytes every time, is
what the shipped recordings are made from.

    models.py      which model, and where its file lies
    engine.py      llama.cpp with one model in it
    turns.py       one request at a time, first come first served, and clients that leave
    chat.py        what a chat request must look like
    refusals.py    errors in OpenAI's shape
    relay.py       the way of one request to the engine and of its reply back
    front.py       HTTP: connections, dispatch, sending
    routes.py      what is answered where
    rack.py        the engines, and the adapters on them
    storage.py     the folder that files, batches and jobs outlive the server in
    files.py, multipart.py, file_routes.py          uploads, and what batches write
    batches.py, batch_lines.py, batch_run.py        a batch, its lines, its answers so far
    batch_worker.py, batch_routes.py                how it gets on, and who may ask
    paging.py      lists in pages
    fine_tuning/   jobs that train an adapter, and the process that does
    office.py      files, batches and jobs together
    serving.py     all of it together
"""

from tunegate.lab.models import LabModel
from tunegate.lab.serving import Lab, run_until_interrupted, serve
from tunegate.lab.storage import Storage, default_folder

__all__ = ["Lab", "LabModel", "Storage", "default_folder", "run_until_interrupted", "serve"]
