"""Inputs and outputs: paths, pipes, and output files that appear whole or not at all."""
