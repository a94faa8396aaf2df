"""The interfaces of llama-index over our parts; an upgrade of it stops here."""
