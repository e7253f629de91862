"""Is it worth the money? What runs cost, and when a fine-tune has paid for itself.

run_costs     a run's records at the prices of a book: calls, tokens, dollars, dollars for each check that passed
price_ages    which prices are missing, or too old to be relied upon
callers       what a call of a model takes, measured in a run
words         both for people, as tables; plain does it for programs
chart         costs against calls, drawn

The arithmetic is that of `tunegate.cost`; nothing here asks a model anything.
"""
