"""The recorded tables, their page, and the claims that lessons make about them."""
