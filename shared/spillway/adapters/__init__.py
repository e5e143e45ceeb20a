"""One module for each outside system; each translates its library's errors into the house's own."""
