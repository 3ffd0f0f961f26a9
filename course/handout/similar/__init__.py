"""Answers that look like copies: of each other, or of the published solutions."""
