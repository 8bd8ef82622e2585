"""Checked IR in, proofs and counterexamples out."""
