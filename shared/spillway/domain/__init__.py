"""Values and decisions: pure, with time and chance passed in."""
