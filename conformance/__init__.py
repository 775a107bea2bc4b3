"""Toolgate against the official suite: the same checks direct and through the gateway, and what differs."""
