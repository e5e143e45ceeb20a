"""Where people look a transaction up."""

EXPLORERS = {
    1: "https://etherscan.io",
    42161: "https://arbiscan.io",
    42170: "https://nova.arbiscan.io",
    421614: "https://sepolia.arbiscan.io",
    11155111: "https://sepolia.etherscan.io",
}
# Finds a transaction on any chain that Etherscan's explorers know.
ANY = "https://blockscan.com"


def transaction_url(chain_id: int, tx_hash: str) -> str:
    """The transaction's page, with its whole hash."""
    return f"{EXPLORERS.get(chain_id, ANY)}/tx/{tx_hash}"
