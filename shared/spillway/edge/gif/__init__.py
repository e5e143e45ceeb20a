"""GET /gif: the community's GIF competition, and the smallest dApp that shows how the API is used."""
