"""The control plane over HTTP: one table of routes, from which routing, checks and the OpenAPI document are made."""
