"""A simulated call: a sender and a receiver exchange packets over a link that drops and delays."""
