"""Files of each format, read row by row in bounded memory."""
