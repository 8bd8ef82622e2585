"""Artefact bytes in, proof of equality with the IR out; imports no emitter."""
