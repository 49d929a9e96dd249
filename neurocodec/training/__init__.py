"""Training of the shipped networks; not used by encode and decode."""
