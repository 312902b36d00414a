"""What a machine is: collectors, one a subject, and the document that they make (schema.json)."""
