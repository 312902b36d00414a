"""The output formats: each writes files of bin/ from the parts of a bundle."""
