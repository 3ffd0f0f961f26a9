"""What prompt methods are built from."""
