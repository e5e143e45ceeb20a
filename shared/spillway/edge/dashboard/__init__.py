"""GET /: how the subnet does, what the fallback costs, and whether it can be turned down."""
