"""The experiments behind the lessons' recorded tables, one module a lesson."""
