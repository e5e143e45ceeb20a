"""One module for each thing the house does."""
