"""The one place that names adapters: each module reads the settings and puts one function's house together."""
