"""Faults put into `core` one at a time: does a test fail?

sites      places in the code where one sign or number can be changed
entered    which tests enter the functions that hold them
run        one fault after another, each in a copy of the tree, a JSON for each
"""
