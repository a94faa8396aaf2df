"""What answers for money or not: embedding and language models, tokens, retries, and their failures."""
