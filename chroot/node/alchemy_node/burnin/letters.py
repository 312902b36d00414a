"""Words in letters that are read across an aisle."""

from __future__ import annotations

# seven rows a letter; the width of a word of five letters is below 60 columns
_LETTERS = {
    "A": ("  ####  ", " ##  ## ", "##    ##", "##    ##", "########", "##    ##", "##    ##"),
    "E": ("########", "##      ", "##      ", "######  ", "##      ", "##      ", "########"),
    "F": ("########", "##      ", "##      ", "######  ", "##      ", "##      ", "##      "),
    "I": ("######", "  ##  ", "  ##  ", "  ##  ", "  ##  ", "  ##  ", "######"),
    "K": ("##    ##", "##   ## ", "##  ##  ", "#####   ", "##  ##  ", "##   ## ", "##    ##"),
    "L": ("##      ", "##      ", "##      ", "##      ", "##      ", "##      ", "########"),
    "O": (" ###### ", "##    ##", "##    ##", "##    ##", "##    ##", "##    ##", " ###### "),
    "P": ("####### ", "##    ##", "##    ##", "####### ", "##      ", "##      ", "##      "),
    "R": ("####### ", "##    ##", "##    ##", "####### ", "##  ##  ", "##   ## ", "##    ##"),
    "S": (" ###### ", "##    ##", "##      ", " ###### ", "      ##", "##    ##", " ###### "),
}
ROWS = 7


def big(word: str) -> list[str]:
    """Returns seven rows that spell a word: PASS, FAIL, ERROR or SKIP."""
    return ["   ".join(_LETTERS[letter][row] for letter in word).rstrip() for row in range(ROWS)]
