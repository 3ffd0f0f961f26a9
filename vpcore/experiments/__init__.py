"""Comparing methods: grids of runs, their reports and costs, and how the bundled weights came about."""
