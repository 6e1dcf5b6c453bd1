"""A local causal language model as teacher: the exact probability of every label.

Read `teacher.py` for what it answers, `scorer.py` for the ways in which the scores are
found, and `tree.py` for the fast one.
"""
