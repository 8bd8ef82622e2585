"""The benchmark suite: workloads, limits, peers and our own rows; `run.py` measures them side by side."""
