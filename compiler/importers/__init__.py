"""Policies of other formats in, .gov text out."""
