"""Source AST in, checked IR and artefacts out."""
