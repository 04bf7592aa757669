"""What we compare with: receivers that are not ours, started the way ours are."""
