"""Names and document numbers as a public screen may show them: enough to know oneself, too little for a stranger.

The room shows people masked on the kiosk and on tablets (Personal Information Protection Law, articles 28 and 51);
the proctor's and the examiner's pages show the full name, which they need to do their work.
"""

from __future__ import annotations

HIDDEN = "*"
# Two-character family names still borne today; any other family name is one character.
_PAIRS = (
    "欧阳太史端木上官司马东方独孤南宫万俟闻人夏侯诸葛尉迟公羊赫连澹台皇甫宗政濮阳公冶"
    "太叔申屠公孙慕容仲孙钟离长孙宇文司徒鲜于司空闾丘子车亓官司寇巫马公西颛孙壤驷公良"
    "漆雕乐正宰父谷梁拓跋夹谷轩辕令狐段干百里呼延东郭南门羊舌微生梁丘左丘东门西门第五"
)
_COMPOUND = frozenset(_PAIRS[at : at + 2] for at in range(0, len(_PAIRS), 2))
_DOTS = "·•・‧"


def mask_name(name: str) -> str:
    """The family name, then a star for each further character: 张三 gives 张*, 欧阳修远 gives 欧阳**.

    A name written with a dot (买买提·艾力) keeps its first part; one in Latin letters keeps each word's initial.
    An empty name stays empty.
    """
    name = " ".join(name.split())
    if len(name) < 2:
        return name
    for dot in _DOTS:
        head, found, tail = name.partition(dot)
        if found and head:
            return head + "·" + HIDDEN * max(1, len(tail))
    if name.isascii():
        return " ".join(word[0] + HIDDEN * 3 for word in name.split(" "))
    kept = 2 if len(name) > 2 and name[:2] in _COMPOUND else 1
    return name[:kept] + HIDDEN * (len(name) - kept)


def mask_document(number: str) -> str:
    """A document number of which at most the first three and the last four characters stay.

    A resident ID (18 characters) gives 110***********123X, a passport (9) gives E*****234; a number under 5
    characters gives stars alone.
    """
    number = "".join(number.split())
    length = len(number)
    if length >= 15:
        head, tail = 3, 4
    elif length >= 8:
        head, tail = 1, 3
    elif length >= 5:
        head, tail = 0, 2
    else:
        return HIDDEN * length
    return number[:head] + HIDDEN * (length - head - tail) + number[length - tail :]
