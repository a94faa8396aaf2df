"""The Index versions page."""
