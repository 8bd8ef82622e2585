"""Proofs over histories: what holds in every state that some samples lead to."""
