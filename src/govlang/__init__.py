"""A language for the policies that say what agents may do, its verifier, compiler and runtime."""

__version__ = "0.1.0"

__all__ = ["__version__"]
