"""Text as the value of an Android string resource."""

from __future__ import annotations

from xml.sax.saxutils import escape


def android_text(text: str) -> str:
    r"""Escapes that leave the text as it is on the screen.

    aapt2 reads backslashes, quotes, a leading @ or ? and runs of blanks in its own way.

    >>> android_text("Tom's \"<b>\" & co")
    'Tom\\\'s \\"&lt;b&gt;\\" &amp; co'
    """
    text = text.strip()
    characters = []
    for index, character in enumerate(text):
        if character in "\\'\"" or (index == 0 and character in "@?"):
            characters.append("\\" + character)
        elif character == " " and text[index - 1] == " ":
            characters.append("\\u0020")
        else:
            characters.append(character)
    return escape("".join(characters))
