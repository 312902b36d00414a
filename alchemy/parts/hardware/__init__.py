"""What a kernel drives: its device tables, dumps of machines, and the comparison of both."""
