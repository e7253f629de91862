"""How much data a fine-tune needs: learning curves from the records of runs, and what more examples would buy.

rows        what a run kept of its matrix
tallies     what each model did in one eval
studies     the trainings of one base by one recipe, on the cases they have in common
questions   what is asked of a study, and the answers
money       what further examples cost
survey      all of it for some runs
text, plot and plain show a survey on a terminal, as a picture, and as JSON
"""

from tunegate.curve.plain import plain_of
from tunegate.curve.questions import Inquiry
from tunegate.curve.rows import Row
from tunegate.curve.survey import Survey, newest_run, survey_runs
from tunegate.curve.text import render_survey

__all__ = ["Inquiry", "Row", "Survey", "newest_run", "plain_of", "render_survey", "survey_runs"]
