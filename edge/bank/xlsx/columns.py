"""Sheets and columns of the bank's workbook, with what each means in Chinese and English.

One table for the template, the reader, the writer and IMPORT.md, so that they cannot disagree.
"""

from __future__ import annotations

from edge.bank.xlsx.column import (
    BANK,
    BLANKS,
    CASE,
    CHOICE,
    ENDS,
    FILL,
    KINDS,
    KINDS_OF_ITEM,
    LANGUAGES,
    LEFTS,
    LEVELS,
    MATCH,
    MEDIA,
    MORE_KINDS,
    NOTES,
    ORDER,
    PLANS,
    REGIMES,
    REGIONS,
    RULES,
    SCORE_ROWS,
    SCORE_TESTS,
    SCORES,
    SHAPES,
    SHEETS,
    SPOT,
    TESTS,
    TYPES,
    WORDS,
    YES_NO,
    Column,
)
from edge.bank.xlsx.plan_columns import PLAN_COLUMNS, SCORE_COLUMNS
from edge.domain.paper import LETTERS

__all__ = [
    "BANK",
    "BANK_ROWS",
    "BLANKS",
    "CASE",
    "CHOICE",
    "COLUMNS",
    "ENDS",
    "FILL",
    "KINDS",
    "KINDS_OF_ITEM",
    "LANGUAGES",
    "LEFTS",
    "LEVELS",
    "MATCH",
    "MEDIA",
    "MORE_KINDS",
    "NOTES",
    "ORDER",
    "PLANS",
    "REGIMES",
    "REGIONS",
    "RULES",
    "SCORES",
    "SCORE_ROWS",
    "SCORE_TESTS",
    "SHAPES",
    "SHEETS",
    "SPOT",
    "TESTS",
    "TYPES",
    "WORDS",
    "YES_NO",
    "Column",
]

_HEAD = (
    Column(
        "编号", "id", "题目的唯一编号：字母或数字开头，可用 . _ -，最多 64 位。必填。", "The item's own id. Required."
    ),
    Column(
        "所属案例",
        "case",
        "案例里的小题填案例的编号；小题编号写成“案例编号.1”“案例编号.2”。",
        "For a question inside a case: the case's id; its own id is then CASE.1, CASE.2 ...",
    ),
)
_FACTS = (
    Column("科目", "test", "安全或理论。必填。", "Safety or theory. Required.", tuple(TESTS)),
    Column("知识点", "topic", "考哪一方面，组卷时可按它挑题。必填。", "The topic; blueprints draw by it. Required."),
    Column(
        "难度",
        "difficulty",
        "1（易）到 5（难）。必填。",
        "1 easy to 5 hard. Required.",
        ("1", "2", "3", "4", "5"),
        width=6,
    ),
    Column("分值", "points", "1 到 100 的整数；不填为 1。", "Whole points, 1 to 100; empty: 1.", width=6),
    Column(
        "标准编号",
        "source.standard",
        "出题依据的标准或法规，如 JGJ 130-2011。必填。",
        "The standard. Required.",
        width=16,
    ),
    Column("标准名称", "source.title", "标准的名称。必填。", "The standard's title. Required.", width=20),
    Column("版本", "source.edition", "现行版本，如 2011。必填。", "Its edition in force. Required."),
    Column("条款", "source.clause", "具体条款，如 6.3.1。必填。", "The clause. Required."),
    Column(
        "考点代码",
        "template",
        "考同一件事的题用同一代码，一张卷里尽量不重复；不填则自成一个。",
        "Items that test one fact share a code; empty: the item's own.",
    ),
    Column(
        "职业（工种）",
        "posts",
        "适用的职业，多个用顿号或分号隔开；不填为全部。",
        "Posts or trades, several with ; between; empty: all.",
        several=True,
    ),
    Column("等级", "levels", "适用的等级，多个用顿号隔开；不填为全部。", "Levels; empty: all.", LEVELS, True),
    Column(
        "类别", "regimes", "适用的人员类别，多个用顿号隔开；不填为全部。", "Regimes; empty: all.", tuple(REGIMES), True
    ),
    Column("使用次数", "exposure", "已知用过的次数；不填为 0。", "How often it was used; empty: 0.", width=8),
    Column("本地题", "local", "机构自己的题填“是”。", "Yes for an institution's own item.", tuple(YES_NO), width=8),
    Column(
        "样题", "sample", "只供演示、不得用于考试的填“是”。", "Yes for samples, not for exams.", tuple(YES_NO), width=6
    ),
)
_RULE = Column(
    "计分",
    "rule",
    "按政策：由场次政策定；全对得分；部分得分。不填：多选按政策，其他部分得分。",
    "By policy, all or nothing, or partial. Empty: by policy for multiple choice, partial for others.",
    tuple(RULES),
)
_STEM = Column("题干", "stem", "题目的文字。必填。", "The question. Required.", width=50)
_OPTIONS = tuple(
    Column(
        f"选项{letter}",
        f"options.{letter}",
        f"选项 {letter} 的文字；图片选项也要写文字（图里是什么）。",
        f"Option {letter}; a picture option too has words that say what it shows.",
        width=20,
    )
    for letter in LETTERS
)
_BLANKS = tuple(
    column
    for n in range(1, BLANKS + 1)
    for column in (
        Column(f"空{n}类型", f"blanks.{n}.kind", "文字或数值。", "Words or a number.", tuple(KINDS), width=8),
        Column(
            f"空{n}答案",
            f"blanks.{n}.answer",
            "文字：几种对的写法用 | 隔开；数值：一个数。",
            "Words: accepted variants with | between. Number: one number.",
            width=16,
        ),
        Column(f"空{n}允差", f"blanks.{n}.tolerance", "数值的允许偏差，不填为 0。", "Tolerance; empty: 0.", width=8),
        Column(
            f"空{n}单位",
            f"blanks.{n}.units",
            "数值的单位。不填可选单位时，第一个印在空的旁边，考生只填数；填了可选单位时，写出所有对的，| 隔开。",
            "The number's unit. Without units to choose from, the first stands beside the blank and the number alone is"
            " asked; with them, all that are right, | between.",
            width=8,
        ),
        Column(
            f"空{n}可选单位",
            f"blanks.{n}.shown",
            "考单位时填：考生从这些单位里选，对的错的都写上，| 隔开。不填则不考单位。",
            "Only where the unit is asked: the units to choose from, right and wrong, | between.",
            width=12,
        ),
    )
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    CHOICE: (
        *_HEAD,
        Column(
            "题型",
            "type",
            "判断、单选或多选。必填。",
            "Judgement, single or multiple. Required.",
            tuple(TYPES),
            width=8,
        ),
        _STEM,
        *_OPTIONS,
        Column(
            "答案",
            "answer",
            "对的选项的字母，如 A 或 ACD；判断题也可写“正确”“错误”，选项不填即为这两个。",
            "Letters of the right options, as A or ACD; judgement also 正确 or 错误, whose options may stay empty.",
        ),
        _RULE,
        *_FACTS,
    ),
    FILL: (
        *_HEAD,
        Column(
            "题干",
            "stem",
            "每个空写四个下划线 ____，顺序与右边各空相同。必填。",
            "Four underscores ____ for each blank, in the order of the columns. Required.",
            width=50,
        ),
        *_BLANKS,
        _RULE,
        *_FACTS,
    ),
    ORDER: (
        *_HEAD,
        _STEM,
        *_OPTIONS,
        Column(
            "答案", "answer", "全部选项的字母，按正确顺序，如 CABD。必填。", "All letters in the right order. Required."
        ),
        *_FACTS,
    ),
    MATCH: (
        *_HEAD,
        _STEM,
        *(Column(f"左{n}", f"left.{n}", f"左边第 {n} 项。", f"Left side {n}.", width=20) for n in range(1, LEFTS + 1)),
        *_OPTIONS,
        Column(
            "答案", "answer", "左边序号配选项字母，如 1C 2A 3B。必填。", "Left number and letter: 1C 2A 3B. Required."
        ),
        _RULE,
        *_FACTS,
    ),
    SPOT: (
        _HEAD[0],
        _STEM,
        Column("图片", "image", "图片文件名。必填。", "The picture's file name. Required.", width=20),
        Column(
            "高宽比",
            "aspect",
            "图高是图宽的千分之几；PNG、JPEG 可不填。",
            "Height in thousandths of the width; may be empty for PNG and JPEG.",
            width=8,
        ),
        *(
            Column(
                f"区域{n}",
                f"regions.{n}",
                "单位为图宽、图高的千分之一：圆 x,y,半径；矩形 左,上,右,下；多边形 x,y,x,y,…。",
                "In thousandths of width and height: 圆 x,y,r; 矩形 left,top,right,bottom; 多边形 x,y,x,y,...",
                width=18,
            )
            for n in range(1, REGIONS + 1)
        ),
        _RULE,
        *_FACTS,
    ),
    CASE: (
        _HEAD[0],
        Column(
            "题干",
            "stem",
            "案例的情况。小题写在其他各表，填“所属案例”。必填。",
            "The situation; its questions stand in the other sheets. Required.",
            width=60,
        ),
        *(column for column in _FACTS if column.field != "points"),
    ),
    MEDIA: (
        Column("编号", "item", "哪道题。", "Which item."),
        Column(
            "位置",
            "place",
            "题干，或选项的字母。",
            "题干 for the question, or an option's letter.",
            ("题干", *LETTERS),
            width=8,
        ),
        Column("文件", "file", "媒体文件夹或压缩包里的文件名。", "File name in the media folder or zip.", width=24),
        Column(
            "说明文字",
            "alt",
            "给看不见、听不到的人：里面是什么（不要透露答案）。题干的媒体必填。",
            "What it shows, for who cannot see or hear it; required for a question's media.",
            width=40,
        ),
    ),
    WORDS: (
        Column("编号", "item", "哪道题。", "Which item."),
        Column(
            "语言",
            "language",
            "en 英、bo 藏、ug 维、mn 蒙、kk 哈、ko 朝、za 壮、ii 彝。",
            "Language code.",
            LANGUAGES,
            width=8,
        ),
        Column(
            "位置",
            "place",
            "题干、选项的字母或左边的序号。",
            "题干, an option's letter or a left number.",
            ("题干", *LETTERS, *(str(n) for n in range(1, LEFTS + 1))),
            width=8,
        ),
        Column("译文", "text", "这一处的译文。", "The words there in that language.", width=60),
    ),
    PLANS: PLAN_COLUMNS,
    SCORES: SCORE_COLUMNS,
}
BANK_ROWS = {
    "题库编号": ("bank", "题库的编号，字母或数字开头。", "The bank's id."),
    "题库名称": ("title.zh", "中文名称。", "Its title in Chinese."),
    "英文名称": ("title.en", "英文名称，可不填。", "Its title in English, may be empty."),
    "样题": ("sample", "整个题库只供演示填“是”。", "Yes when the whole bank is a sample, not for exams."),
    "已计场次": (
        "counted",
        "使用次数里已经计入的场次，写作“考场/场次”，分号隔开；由程序填写。",
        "Sessions counted in 使用次数 already, ROOM/SESSION with ; between; the program fills it in.",
    ),
}
