"""Training sets: from cases that a model may learn from, and answers to them, to files that fine-tuning takes.

texts         what two texts have in common, and which text repeats another
wording       how many words have to be changed to make one text of another
templates     which words of a text its like have others for
asked         all that the evals ask, and what of it a text repeats
prompts       a file of prompts, as an eval that only offers training cases
lessons       training cases with the student's prompt, and all that the evals ever ask
teaching      who answers, and the judge: the eval's own test
screening     which lines of a file of somebody's own stand in an eval
choosing      which lessons become examples, so that each size is the beginning of the next
augmentation  more prompts like those of a file, written by a teacher
money         the price of training, and when it is earned back
folder        chat JSONL, and the manifest that says what it was made of

Asking a teacher is the engine's work, so the door brings the two together.
"""

from tunegate.distill.asked import AskedTexts
from tunegate.distill.augmentation import Augmented, augmenting_eval, read_variants
from tunegate.distill.choosing import (
    Chosen,
    Demand,
    Example,
    Filter,
    Refusal,
    choose_examples,
    count_reasons,
    find_leaks,
    leaks_among,
)
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
from tunegate.distill.screening import screen_lines
from tunegate.distill.teaching import Judge, KnownAnswers, Taught, Teacher
from tunegate.distill.texts import NEAR, Match, Part, TextIndex, normal_form, parts_of, runs_of, similarity, turns_of

__all__ = [
    "NEAR",
    "VALIDATION",
    "AskedTexts",
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
    "find_leaks",
    "index_evaluation",
    "leaks_among",
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
    "screen_lines",
    "similarity",
    "taught_call",
    "training_price",
    "training_usd",
    "turns_of",
    "with_system",
    "write_folder",
]
