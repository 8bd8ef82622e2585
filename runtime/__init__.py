"""Bundles in, decisions and evidence out; knows nothing of dsl, compiler or verifier."""
