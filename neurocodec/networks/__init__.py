"""Networks in PyTorch: layers and forward passes, nothing that runs them."""
