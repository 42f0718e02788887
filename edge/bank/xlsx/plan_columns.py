"""The columns of the sheets 组卷 and 评分表: blueprints and score sheets."""

from __future__ import annotations

from edge.bank.xlsx.column import ENDS, KINDS_OF_ITEM, LEVELS, REGIMES, SCORE_ROWS, SCORE_TESTS, TESTS, YES_NO, Column

PLAN_COLUMNS = (
    Column("方案编号", "id", "组卷方案的编号；下面各行不填即同上一行。", "The blueprint's id; empty: the row above's."),
    Column("方案名称", "title.zh", "方案的名称，写在方案的第一行。", "Its title, in its first row.", width=24),
    Column("英文名称", "title.en", "英文名称，可不填。", "Its title in English, may be empty."),
    Column("职业（工种）", "post", "为哪个职业组卷，写在第一行。", "The post or trade, in the first row."),
    Column("类别", "regime", "人员类别，写在第一行。", "The regime, in the first row.", tuple(REGIMES), width=14),
    Column("等级", "level", "等级；不填为不分等级。", "The level; empty: any.", LEVELS, width=8),
    Column("总时长（分钟）", "minutes", "整场考试的时间，写在第一行。", "Minutes of the whole exam, first row."),
    Column("使用次数上限", "max_exposure", "用过更多次的题不抽；不填为不限。", "Items used more often are not drawn."),
    Column(
        "间隔场次",
        "rest_sessions",
        "本考场最近几场用过的题不抽；不填为 0。",
        "The room's last sessions' items rest.",
    ),
    Column("部分名称", "part.title.zh", "试卷的一部分；不填即同上一行。", "A part; empty: the row above's.", width=16),
    Column("部分英文", "part.title.en", "该部分的英文名称，可不填。", "The part's title in English, may be empty."),
    Column("科目", "part.test", "该部分算安全还是理论，写在该部分第一行。", "Safety or theory.", tuple(TESTS), width=8),
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
)
SCORE_COLUMNS = (
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
    Column("限时（分钟）", "minutes", "评分表必填，步骤可填。", "Required for a sheet, possible for a step.", width=10),
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
    Column("科目", "test", "评分表：安全或实操；不填为实操。", "A sheet's test; empty: practical.", tuple(SCORE_TESTS)),
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
    Column("必须实测", "required", "实测可以不填时写“否”。", "No where it may be left out.", tuple(YES_NO), width=8),
    Column("标准编号", "source.standard", "步骤依据的标准编号，可不填。", "A step's standard; may be empty."),
    Column("标准名称", "source.title", "标准的名称。", "The standard's title."),
    Column("版本", "source.edition", "标准的版本。", "Its edition."),
    Column("条款", "source.clause", "具体条款。", "The clause."),
)
