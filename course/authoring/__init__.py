"""From a lesson's source to its notebooks: build, rules, staleness, execution."""
