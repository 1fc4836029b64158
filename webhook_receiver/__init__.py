"""The public door for gateway callbacks: verify the signature, have it stored, only then answer."""
