"""Questions with a name, asked of the database. One module an aggregate."""
