"""LLKD alone: teachers, selection, students, training. Knows no web, database or queue."""
