"""A teacher behind OpenAI's chat completions: what it is asked, and what its replies mean.

Nothing here knows time, sockets or databases: whoever builds a `ChatTeacher` hands it a
`Call` that does.
"""
