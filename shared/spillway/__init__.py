"""Spillway: the front door to a decentralised AI compute network, with hosted inference as its overflow."""

__version__ = "0.1.0"
