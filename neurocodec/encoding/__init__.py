"""Video to container: where references go, what a block holds, meeting a target."""
