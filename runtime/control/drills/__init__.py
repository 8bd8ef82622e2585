"""Drills: what the control plane does when something fails, shown on a service that is started for it."""
