"""Judging case by case: the order of cases, the bets on each finding, and whoever watches over a run."""
