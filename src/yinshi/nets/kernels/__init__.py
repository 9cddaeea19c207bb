"""What may replace PyTorch's own operations where it pays: each is optional, and tested by them."""
