"""Open-loop load against a running front door: what comes, how it is sent, and what came of it."""
