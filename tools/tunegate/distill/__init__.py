"""Training sets: from cases that a model may learn from, and answers to them, to files that fine-tuning takes.

texts         what two texts have in common, and which text repeats another
prompts       a file of prompts, as an eval that only offers training cases
lessons       training cases with the student's prompt, and all that the evals ever ask
teaching      who answers, and the judge: the eval's own test
choosing      which lessons become examples, so that each size is the beginning of the next
augmentation  more prompts like those of a file, written by a teacher
money         the price of training, and when it is earned back
folder        chat JSONL, and the manifest that says what it was made of

Asking a teacher is the engine's work, so the door brings the two together.
"""

from tunegate.distill.augmentation import Augmented, augmenting_eval, read_variants
from tunegate.distill.choosing import Chosen, Demand, Example, Filter, Refusal, choose_examples, count_reasons
from tunegate.distill.folder import (
    VALIDATION,
    Made,
    TrainingFile,
    Written,
    check_folder,
    read_manifest,
    render_lines,
    write_folder,
)
from tunegate.distill.lessons import Evaluation, Lesson, index_evaluation, make_lessons, with_system
from tunegate.distill.money import BreakEven, CallCost, break_even, mean_call, taught_call, training_price, training_usd
from tunegate.distill.prompts import Prompt, PromptFile, eval_of_prompts, prompt_of_messages, read_prompts
from tunegate.distill.teaching import Judge, KnownAnswers, Taught, Teacher
from tunegate.distill.texts import NEAR, Match, Part, TextIndex, normal_form, parts_of, runs_of, similarity

__all__ = [
    "NEAR",
    "VALIDATION",
    "Augmented",
    "BreakEven",
    "CallCost",
    "Chosen",
    "Demand",
    "Evaluation",
    "Example",
    "Filter",
    "Judge",
    "KnownAnswers",
    "Lesson",
    "Made",
    "Match",
    "Part",
    "Prompt",
    "PromptFile",
    "Refusal",
    "Taught",
    "Teacher",
    "TextIndex",
    "TrainingFile",
    "Written",
    "augmenting_eval",
    "break_even",
    "check_folder",
    "choose_examples",
    "count_reasons",
    "eval_of_prompts",
    "index_evaluation",
    "make_lessons",
    "mean_call",
    "normal_form",
    "parts_of",
    "prompt_of_messages",
    "read_manifest",
    "read_prompts",
    "read_variants",
    "render_lines",
    "runs_of",
    "similarity",
    "taught_call",
    "training_price",
    "training_usd",
    "with_system",
    "write_folder",
]
