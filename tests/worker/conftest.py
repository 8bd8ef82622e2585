"""A gateway, and clients of it."""

from __future__ import annotations

from gateways import gateway, hasty, served_routes

__all__ = ["gateway", "hasty", "served_routes"]
