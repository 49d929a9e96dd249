"""What is in a file, whether it is whole, and how to repair it.  No torch, no network."""
