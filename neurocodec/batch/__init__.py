"""Whole folders: jobs, workers on this machine or many, what is done and what is left."""
