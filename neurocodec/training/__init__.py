"""Training of the shipped networks (needs clips of your own; not used by encode and decode)."""
