"""Sheets and columns of the bank's workbook, with what each means in Chinese and English.

One table for the template, the reader, the writer and IMPORT.md, so that they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.domain.paper import LETTERS

BANK, NOTES = "题库", "说明"
CHOICE, FILL, ORDER, MATCH, SPOT, CASE = "题目", "填空", "排序", "匹配", "点选", "案例"
MEDIA, WORDS = "媒体", "译文"
PLANS, SCORES = "组卷", "评分表"
SHEETS = (CHOICE, FILL, ORDER, MATCH, SPOT, CASE)
BLANKS, LEFTS, REGIONS = 6, 8, 8

TYPES = {"判断": "judgement", "单选": "single", "多选": "multiple"}
TESTS = {"安全": "safety", "理论": "theory"}
REGIMES = {"技能人员": "skilled-worker", "施工现场专业人员": "site-professional"}
RULES = {"按政策": "policy", "全对得分": "all-or-nothing", "部分得分": "partial"}
YES_NO = {"是": True, "否": False}
KINDS = {"文字": "text", "数值": "number"}
SHAPES = {"圆": "circle", "矩形": "rect", "多边形": "poly"}
LEVELS = ("五级", "四级", "三级", "二级", "一级")
MORE_KINDS = {"填空": "fill", "排序": "order", "匹配": "match", "点选": "hotspot", "案例": "case"}
KINDS_OF_ITEM = TYPES | MORE_KINDS
SCORE_TESTS = {"安全": "safety", "实操": "practical"}
SCORE_ROWS = {"评分表": "rubric", "步骤": "step", "扣分": "deduction", "实测": "measure", "否决": "veto"}
ENDS = {"零分": "zero", "否决": "veto"}
LANGUAGES = ("en", "bo", "ug", "mn", "kk", "ko", "za", "ii")


@dataclass(frozen=True)
class Column:
    """`field` is where it goes in the item; `choices` its drop-down, which a list of several values may go beyond."""

    title: str
    field: str
    zh: str
    en: str
    choices: tuple[str, ...] = ()
    several: bool = False
    width: int = 12


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
            f"空{n}单位", f"blanks.{n}.units", "对的单位，| 隔开；不填为不问单位。", "Right units, | between.", width=8
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
    PLANS: (
        Column(
            "方案编号", "id", "组卷方案的编号；下面各行不填即同上一行。", "The blueprint's id; empty: the row above's."
        ),
        Column("方案名称", "title.zh", "方案的名称，写在方案的第一行。", "Its title, in its first row.", width=24),
        Column("英文名称", "title.en", "英文名称，可不填。", "Its title in English, may be empty."),
        Column("职业（工种）", "post", "为哪个职业组卷，写在第一行。", "The post or trade, in the first row."),
        Column("类别", "regime", "人员类别，写在第一行。", "The regime, in the first row.", tuple(REGIMES), width=14),
        Column("等级", "level", "等级；不填为不分等级。", "The level; empty: any.", LEVELS, width=8),
        Column("总时长（分钟）", "minutes", "整场考试的时间，写在第一行。", "Minutes of the whole exam, first row."),
        Column(
            "使用次数上限", "max_exposure", "用过更多次的题不抽；不填为不限。", "Items used more often are not drawn."
        ),
        Column(
            "间隔场次",
            "rest_sessions",
            "本考场最近几场用过的题不抽；不填为 0。",
            "The room's last sessions' items rest.",
        ),
        Column(
            "部分名称", "part.title.zh", "试卷的一部分；不填即同上一行。", "A part; empty: the row above's.", width=16
        ),
        Column("部分英文", "part.title.en", "该部分的英文名称，可不填。", "The part's title in English, may be empty."),
        Column(
            "科目", "part.test", "该部分算安全还是理论，写在该部分第一行。", "Safety or theory.", tuple(TESTS), width=8
        ),
        Column(
            "部分限时（分钟）", "part.minutes", "该部分自己的时间；不填为不另限时。", "The part's own limit in minutes."
        ),
        Column(
            "题型",
            "type",
            "这一行抽哪种题。必填。",
            "The type this row draws. Required.",
            tuple(KINDS_OF_ITEM),
            width=8,
        ),
        Column("题数", "count", "抽几道。必填。", "How many. Required.", width=8),
        Column(
            "知识点",
            "topics",
            "只从这些知识点抽，多个用顿号隔开；不填为全部。",
            "Only these topics, several with ;.",
            width=20,
        ),
        Column(
            "难度", "difficulty", "只抽这些难度，如 1、2；不填为全部。", "Only these difficulties; empty: all.", width=8
        ),
        Column(
            "每题分值",
            "points",
            "在本卷里每题几分；不填按题目自己的。案例不填。",
            "Points here; empty: the item's own.",
        ),
    ),
    SCORES: (
        Column(
            "行",
            "row",
            "评分表：开始一张表；其下是步骤和否决，步骤下面是它的扣分和实测。必填。",
            "评分表 begins a sheet; 步骤 and 否决 stand below it, 扣分 and 实测 below their step. Required.",
            tuple(SCORE_ROWS),
            width=8,
        ),
        Column("编号", "id", "这一行的编号，一张表里不重复。必填。", "The row's own id, once in a sheet. Required."),
        Column("名称", "title.zh", "中文名称。必填。", "Its title in Chinese. Required.", width=40),
        Column("英文名称", "title.en", "英文名称，可不填。", "Its title in English, may be empty."),
        Column(
            "分值",
            "points",
            "步骤的满分；扣分的分数；实测给分时的满分。评分表不填：各步骤之和。",
            "A step's, a deduction's, or a measure's where bands give points; a sheet's, if empty: its steps' sum.",
            width=8,
        ),
        Column(
            "限时（分钟）", "minutes", "评分表必填，步骤可填。", "Required for a sheet, possible for a step.", width=10
        ),
        Column(
            "每超1分钟扣",
            "over.per_minute",
            "评分表、步骤：超时每分钟扣几分。",
            "Points for each minute over.",
            width=10,
        ),
        Column("超时最多扣", "over.most", "超时最多扣几分；不填为不限。", "The most that overtime costs.", width=10),
        Column("超几分钟终止", "over.end_after", "超过这么多分钟就终止。", "Minutes over that end it.", width=10),
        Column("终止后", "over.then", "终止后记零分或否决。", "What ending means.", tuple(ENDS), width=8),
        Column(
            "科目", "test", "评分表：安全或实操；不填为实操。", "A sheet's test; empty: practical.", tuple(SCORE_TESTS)
        ),
        Column("职业（工种）", "trade.name", "评分表必填。", "Required for a sheet."),
        Column("等级", "trade.level", "评分表必填。", "Required for a sheet.", LEVELS, width=8),
        Column(
            "建议及格",
            "pass",
            "评分表：百分之几；不填为 60，以政策为准。",
            "Per cent; empty: 60; policy decides.",
            width=8,
        ),
        Column("样题", "sample", "只供演示的评分表填“是”。", "Yes for a sample sheet.", tuple(YES_NO), width=6),
        Column("单位", "unit", "实测值的单位。", "A measure's unit.", width=8),
        Column("目标值", "target", "实测值应是多少。实测必填。", "What the measure should be. Required.", width=8),
        Column(
            "偏差档",
            "bands",
            "从窄到宽，分号隔开：“0.05 扣0；0.1 扣2”是偏差不超过 0.05 不扣、不超过 0.1 扣 2；给分写“0.05 得5”。",
            "Narrowest first: “0.05 扣0；0.1 扣2” deducts 0 within 0.05 and 2 within 0.1; “0.05 得5” gives 5.",
            width=30,
        ),
        Column(
            "超出各档",
            "beyond",
            "扣几分写数；或零分、否决。不填为零分。",
            "Points off, 零分 or 否决; empty: zero.",
            width=10,
        ),
        Column(
            "必须实测", "required", "实测可以不填时写“否”。", "No where it may be left out.", tuple(YES_NO), width=8
        ),
        Column("标准编号", "source.standard", "步骤依据的标准编号，可不填。", "A step's standard; may be empty."),
        Column("标准名称", "source.title", "标准的名称。", "The standard's title."),
        Column("版本", "source.edition", "标准的版本。", "Its edition."),
        Column("条款", "source.clause", "具体条款。", "The clause."),
    ),
}
BANK_ROWS = {
    "题库编号": ("bank", "题库的编号，字母或数字开头。", "The bank's id."),
    "题库名称": ("title.zh", "中文名称。", "Its title in Chinese."),
    "英文名称": ("title.en", "英文名称，可不填。", "Its title in English, may be empty."),
    "样题": ("sample", "整个题库只供演示填“是”。", "Yes when the whole bank is a sample, not for exams."),
}
