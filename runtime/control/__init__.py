"""The control plane: one decision point before a job is stored and again before it runs.

In: what callers ask, already validated.  Out: answers, and everything that follows from them in the store.
"""
