"""`/v1/fine_tuning/jobs`: LoRA adapters trained on this machine, and served under an `ft:` name.

A rehearsal, like the rest of the lab: a tiny model learns a format from a few examples in a minute, so that the way
from a training file to a served model can be walked without a key, money or a network.

    recipe.py          how a training goes: hyperparameters, and what is the same for all
    conversations.py   what a training file must look like
    jobs.py, diary.py  a job and its states; its events and checkpoints
    routes.py          who may create, ask and cancel
    workshop.py        the thread that takes jobs from state to state, one training at a time
    process.py         the process that trains, as the server sees it
    order.py           what it is told, and what it says while it works
    worker.py          that process: `python -m tunegate.lab.fine_tuning.worker FOLDER`
    weights.py         the base model out of its GGUF file, and conversations as tokens
    training.py        the loop
    adapter_file.py    the adapter as a GGUF file for llama.cpp
"""
