"""What we ask, and of whom: questions, the evals that ask them, and the matrix of models.

questions   Question and Batch
banks       the bank, which cuts questions into batches whose ids are stable
layouts     which files a bank lies in; csv_rows, json_rows, parquet_rows read them
hub         the one function of this room that reaches the network, and only when told to
evals       what an eval file declares
sources     what an eval is given: the bank, the schemas, and how much of them to ask
own_rows    tables of a TOML file as the cases of an eval's own
matrix      models.toml, and the models a command names; models its rows, toml_file reads it, fields checks its tables
marking     the edits of models.toml that a program makes: roles after a promotion, rows after a training
kept_models the models of a run, as the run kept them
cost_scenarios  break_even.toml: patterns of use that a break-even can be computed for
prices      prices.toml, and what a model costs; list_prices asks the providers' list prices
"""

from tunegate.cases.banks import Bank
from tunegate.cases.evals import Case, Eval, eval_of, evaluates
from tunegate.cases.layouts import read_bank
from tunegate.cases.matrix import Matrix, Selection
from tunegate.cases.models import Endpoint, Lab, Limits, Model, Role, Training
from tunegate.cases.prices import PriceBook, PriceRow
from tunegate.cases.questions import Batch, Question
from tunegate.cases.sources import Sources
from tunegate.records import Message

__all__ = [
    "Bank",
    "Batch",
    "Case",
    "Endpoint",
    "Eval",
    "Lab",
    "Limits",
    "Matrix",
    "Message",
    "Model",
    "PriceBook",
    "PriceRow",
    "Question",
    "Role",
    "Selection",
    "Sources",
    "Training",
    "eval_of",
    "evaluates",
    "read_bank",
]
