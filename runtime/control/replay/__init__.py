"""Deciding a ledger anew: what another policy would have said of what was asked."""
