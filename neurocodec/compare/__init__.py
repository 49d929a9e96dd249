"""Is it really better?  Our codec against others on a user's own videos, every byte counted."""
