"""What the service tells, typed: fields that people use, and room for those to come."""
