"""Evidence: decisions in, a chained and checkpointed ledger out, and the checks of it that trust nobody."""
