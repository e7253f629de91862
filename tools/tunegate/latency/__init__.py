"""Is it worth the wait? How long models take, what of it is beginning and what is length, and which is quicker.

measurements   what a run's records say of time, model by model
comparison     two models beside each other: at each limit of tokens, over all, and by their lines
text           as tables and sentences
plain          as JSON
plots          as a picture

Everything is read from records, so last year's run of a model that no longer exists is compared like today's.
"""
