"""How the parts of the installation are, and the accounts all together."""
