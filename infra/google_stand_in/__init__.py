"""A stand-in for Terraform's Google provider: its real schema, and no cloud behind it."""

from google_stand_in.server import StandIn

__all__ = ["StandIn"]
