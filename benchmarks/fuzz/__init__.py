"""A real server under malformed inputs: every door, every verb, and bytes below them.

Nouns: an *input* is what one family makes of a seed and a number, so that it can be made again alone; an *outcome* is
the status that came back and, if there is one, the fault that it shows; a *canary* is a well-formed question whose
answer must stay as it was.
"""
