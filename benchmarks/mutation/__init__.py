"""Mutation testing of the checker, the lowering and the verifier: see `run.py`."""
