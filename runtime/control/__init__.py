"""The control plane: every job in, decided before it is stored and again before it runs; knows nothing of HTTP."""
