"""One module a file format: identify(head) and parse(rows). What is common to all formats lies in base."""
