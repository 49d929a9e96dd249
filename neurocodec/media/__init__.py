"""Media in and out, through PyAV."""
