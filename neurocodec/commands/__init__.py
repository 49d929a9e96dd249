"""The command line: everything that knows about options, terminals and exit codes."""
