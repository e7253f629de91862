"""The gate: may a candidate replace the baseline? It reads run folders and nothing else.

policy        the rules; policy_file reads fixtures/gates.toml, policy_words explains them
measures      a run: its models and their sheets, kept small; ratings beside them
probes        the findings a policy asks for, and the cases that both sides have
evidence      what the data say of one finding
judging       all findings together: one correction, one word
stopping      the same case by case, in the random order of `order`, until everything is decided
contest       which runs and models are held against each other
verdict       the words; verdict_file keeps them, wording says them
keeping       certificate, acceptance, and making a verdict again
noise         a model against itself; planning, how many cases a difference needs

Nothing is imported here: a run that is not gated does not wait for it.
"""
