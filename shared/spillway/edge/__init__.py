"""HTTP: from a request to a domain value, from a result or an error to a reply, for each API family."""
