"""Where a student is not sure, the teacher of its job answers: cached, budgeted, in time."""
