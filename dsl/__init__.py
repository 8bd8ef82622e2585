"""From source text to the syntax tree and back; this package knows nothing of meaning."""
